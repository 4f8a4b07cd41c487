// Original file: ../../../protos/dagrpc/v1/data.proto

export const DataOutcome = {
  DATA_OUTCOME_UNSPECIFIED: 'DATA_OUTCOME_UNSPECIFIED',
  DATA_OUTCOME_OK: 'DATA_OUTCOME_OK',
  DATA_OUTCOME_MISSING: 'DATA_OUTCOME_MISSING',
  DATA_OUTCOME_NOT_ENCODABLE: 'DATA_OUTCOME_NOT_ENCODABLE',
  DATA_OUTCOME_DEFERRED: 'DATA_OUTCOME_DEFERRED',
} as const;

export type DataOutcome =
  | 'DATA_OUTCOME_UNSPECIFIED'
  | 0
  | 'DATA_OUTCOME_OK'
  | 1
  | 'DATA_OUTCOME_MISSING'
  | 2
  | 'DATA_OUTCOME_NOT_ENCODABLE'
  | 3
  | 'DATA_OUTCOME_DEFERRED'
  | 4

export type DataOutcome__Output = typeof DataOutcome[keyof typeof DataOutcome]
