// Original file: ../../../protos/dagrpc/v1/data.proto

import type { Long } from '@grpc/proto-loader';

export interface TransferEnd {
  'totalBytes'?: (number | string | Long);
}

export interface TransferEnd__Output {
  'totalBytes': (number);
}
