// Original file: ../../../protos/dagrpc/v1/data.proto

import type { ManifestEntry as _dagrpc_v1_ManifestEntry, ManifestEntry__Output as _dagrpc_v1_ManifestEntry__Output } from '../../dagrpc/v1/ManifestEntry';

export interface Manifest {
  'entries'?: (_dagrpc_v1_ManifestEntry)[];
  'pid'?: (number);
  'host'?: (string);
  'whole'?: (boolean);
  'data'?: (Buffer | Uint8Array | string);
}

export interface Manifest__Output {
  'entries': (_dagrpc_v1_ManifestEntry__Output)[];
  'pid': (number);
  'host': (string);
  'whole': (boolean);
  'data': (Buffer);
}
