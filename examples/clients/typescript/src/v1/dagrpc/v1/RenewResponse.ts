// Original file: ../../../protos/dagrpc/v1/task_service.proto

import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from '../../google/protobuf/Duration';

export interface RenewResponse {
  'ttl'?: (_google_protobuf_Duration | null);
  'tasks'?: (number);
  'unfinished'?: (number);
}

export interface RenewResponse__Output {
  'ttl': (_google_protobuf_Duration__Output | null);
  'tasks': (number);
  'unfinished': (number);
}
