// Original file: ../../../protos/dagrpc/v1/common.proto

import type { Long } from '@grpc/proto-loader';

export interface Payload {
  'encoding'?: (string);
  'frameLengths'?: (number | string | Long)[];
  'data'?: (Buffer | Uint8Array | string);
}

export interface Payload__Output {
  'encoding': (string);
  'frameLengths': (number)[];
  'data': (Buffer);
}
