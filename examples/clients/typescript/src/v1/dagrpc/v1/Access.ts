// Original file: ../../../protos/dagrpc/v1/access.proto

import type { Role as _dagrpc_v1_Role, Role__Output as _dagrpc_v1_Role__Output } from '../../dagrpc/v1/Role';

export interface Access {
  'roles'?: (_dagrpc_v1_Role)[];
  'runsCodeOnScheduler'?: (boolean);
}

export interface Access__Output {
  'roles': (_dagrpc_v1_Role__Output)[];
  'runsCodeOnScheduler': (boolean);
}
