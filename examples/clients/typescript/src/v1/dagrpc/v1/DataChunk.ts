// Original file: ../../../protos/dagrpc/v1/data.proto

import type { Long } from '@grpc/proto-loader';

export interface DataChunk {
  'offset'?: (number | string | Long);
  'data'?: (Buffer | Uint8Array | string);
}

export interface DataChunk__Output {
  'offset': (number);
  'data': (Buffer);
}
