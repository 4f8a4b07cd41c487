// Original file: ../../../protos/dagrpc/v1/task_service.proto

import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from '../../google/protobuf/Duration';

export interface RenewRequest {
  'lease'?: (string);
  'ttl'?: (_google_protobuf_Duration | null);
  'release'?: (string)[];
  'end'?: (boolean);
}

export interface RenewRequest__Output {
  'lease': (string);
  'ttl': (_google_protobuf_Duration__Output | null);
  'release': (string)[];
  'end': (boolean);
}
