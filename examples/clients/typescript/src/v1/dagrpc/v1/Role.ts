// Original file: ../../../protos/dagrpc/v1/access.proto

export const Role = {
  ROLE_UNSPECIFIED: 'ROLE_UNSPECIFIED',
  ROLE_CLIENT: 'ROLE_CLIENT',
  ROLE_SCHEDULER: 'ROLE_SCHEDULER',
  ROLE_WORKER: 'ROLE_WORKER',
  ROLE_CALLER: 'ROLE_CALLER',
} as const;

export type Role =
  | 'ROLE_UNSPECIFIED'
  | 0
  | 'ROLE_CLIENT'
  | 1
  | 'ROLE_SCHEDULER'
  | 2
  | 'ROLE_WORKER'
  | 3
  | 'ROLE_CALLER'
  | 4

export type Role__Output = typeof Role[keyof typeof Role]
