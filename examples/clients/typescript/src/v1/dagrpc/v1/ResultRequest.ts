// Original file: ../../../protos/dagrpc/v1/task_service.proto

import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from '../../google/protobuf/Duration';
import type { Long } from '@grpc/proto-loader';

export interface ResultRequest {
  'key'?: (string);
  'accept'?: (string)[];
  'lease'?: (string);
  'timeout'?: (_google_protobuf_Duration | null);
  'offset'?: (number | string | Long);
}

export interface ResultRequest__Output {
  'key': (string);
  'accept': (string)[];
  'lease': (string);
  'timeout': (_google_protobuf_Duration__Output | null);
  'offset': (number);
}
