// Original file: ../../../protos/dagrpc/v1/common.proto

import type { Long } from '@grpc/proto-loader';

export interface DataRef {
  'key'?: (string);
  'nbytes'?: (number | string | Long);
  'workers'?: (string)[];
}

export interface DataRef__Output {
  'key': (string);
  'nbytes': (number);
  'workers': (string)[];
}
