// Original file: ../../../protos/dagrpc/v1/common.proto


export interface SharedPayload {
  'digest'?: (Buffer | Uint8Array | string);
  'data'?: (Buffer | Uint8Array | string);
}

export interface SharedPayload__Output {
  'digest': (Buffer);
  'data': (Buffer);
}
