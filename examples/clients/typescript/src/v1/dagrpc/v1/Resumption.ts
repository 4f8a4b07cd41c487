// Original file: ../../../protos/dagrpc/v1/common.proto

import type { Long } from '@grpc/proto-loader';

export interface Resumption {
  'received'?: (number | string | Long);
}

export interface Resumption__Output {
  'received': (number);
}
