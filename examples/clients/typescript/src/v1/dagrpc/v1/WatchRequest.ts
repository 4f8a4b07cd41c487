// Original file: ../../../protos/dagrpc/v1/task_service.proto

import type { Long } from '@grpc/proto-loader';

export interface WatchRequest {
  'lease'?: (string);
  'cursor'?: (number | string | Long);
  'accept'?: (string)[];
  'inlineLimit'?: (number);
  'settled'?: (boolean);
  'together'?: (boolean);
}

export interface WatchRequest__Output {
  'lease': (string);
  'cursor': (number);
  'accept': (string)[];
  'inlineLimit': (number);
  'settled': (boolean);
  'together': (boolean);
}
