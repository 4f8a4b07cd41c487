// Original file: ../../../protos/dagrpc/v1/data.proto

import type { DataOutcome as _dagrpc_v1_DataOutcome, DataOutcome__Output as _dagrpc_v1_DataOutcome__Output } from '../../dagrpc/v1/DataOutcome';
import type { Long } from '@grpc/proto-loader';

export interface ManifestEntry {
  'key'?: (string);
  'outcome'?: (_dagrpc_v1_DataOutcome);
  'encoding'?: (string);
  'frameLengths'?: (number | string | Long)[];
  'typeName'?: (string);
  'nbytes'?: (number | string | Long);
  'message'?: (string);
  'frameAddresses'?: (number | string | Long)[];
  'frameCompressions'?: (string)[];
}

export interface ManifestEntry__Output {
  'key': (string);
  'outcome': (_dagrpc_v1_DataOutcome__Output);
  'encoding': (string);
  'frameLengths': (number)[];
  'typeName': (string);
  'nbytes': (number);
  'message': (string);
  'frameAddresses': (number)[];
  'frameCompressions': (string)[];
}
