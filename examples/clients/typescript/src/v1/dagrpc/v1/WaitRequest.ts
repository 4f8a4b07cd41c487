// Original file: ../../../protos/dagrpc/v1/task_service.proto

import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from '../../google/protobuf/Duration';

export interface WaitRequest {
  'lease'?: (string);
  'keys'?: (string)[];
  'any'?: (boolean);
  'timeout'?: (_google_protobuf_Duration | null);
  'accept'?: (string)[];
  'inlineLimit'?: (number);
}

export interface WaitRequest__Output {
  'lease': (string);
  'keys': (string)[];
  'any': (boolean);
  'timeout': (_google_protobuf_Duration__Output | null);
  'accept': (string)[];
  'inlineLimit': (number);
}
