// Original file: ../../../protos/dagrpc/v1/task_service.proto

import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from '../../google/protobuf/Duration';
import type { NamedCall as _dagrpc_v1_NamedCall, NamedCall__Output as _dagrpc_v1_NamedCall__Output } from '../../dagrpc/v1/NamedCall';

export interface SubmitRequest {
  'lease'?: (string);
  'ttl'?: (_google_protobuf_Duration | null);
  'calls'?: (_dagrpc_v1_NamedCall)[];
  'accept'?: (string)[];
  'inlineLimit'?: (number);
  'wait'?: (_google_protobuf_Duration | null);
  'releaseAnswered'?: (boolean);
  'release'?: (string)[];
}

export interface SubmitRequest__Output {
  'lease': (string);
  'ttl': (_google_protobuf_Duration__Output | null);
  'calls': (_dagrpc_v1_NamedCall__Output)[];
  'accept': (string)[];
  'inlineLimit': (number);
  'wait': (_google_protobuf_Duration__Output | null);
  'releaseAnswered': (boolean);
  'release': (string)[];
}
