import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { Access as _dagrpc_v1_Access, Access__Output as _dagrpc_v1_Access__Output } from './dagrpc/v1/Access';
import type { Argument as _dagrpc_v1_Argument, Argument__Output as _dagrpc_v1_Argument__Output } from './dagrpc/v1/Argument';
import type { Call as _dagrpc_v1_Call, Call__Output as _dagrpc_v1_Call__Output } from './dagrpc/v1/Call';
import type { CancelRequest as _dagrpc_v1_CancelRequest, CancelRequest__Output as _dagrpc_v1_CancelRequest__Output } from './dagrpc/v1/CancelRequest';
import type { CancelResponse as _dagrpc_v1_CancelResponse, CancelResponse__Output as _dagrpc_v1_CancelResponse__Output } from './dagrpc/v1/CancelResponse';
import type { DataChunk as _dagrpc_v1_DataChunk, DataChunk__Output as _dagrpc_v1_DataChunk__Output } from './dagrpc/v1/DataChunk';
import type { DataRef as _dagrpc_v1_DataRef, DataRef__Output as _dagrpc_v1_DataRef__Output } from './dagrpc/v1/DataRef';
import type { Failure as _dagrpc_v1_Failure, Failure__Output as _dagrpc_v1_Failure__Output } from './dagrpc/v1/Failure';
import type { Fragment as _dagrpc_v1_Fragment, Fragment__Output as _dagrpc_v1_Fragment__Output } from './dagrpc/v1/Fragment';
import type { Function as _dagrpc_v1_Function, Function__Output as _dagrpc_v1_Function__Output } from './dagrpc/v1/Function';
import type { GraphPart as _dagrpc_v1_GraphPart, GraphPart__Output as _dagrpc_v1_GraphPart__Output } from './dagrpc/v1/GraphPart';
import type { ListFunctionsRequest as _dagrpc_v1_ListFunctionsRequest, ListFunctionsRequest__Output as _dagrpc_v1_ListFunctionsRequest__Output } from './dagrpc/v1/ListFunctionsRequest';
import type { ListFunctionsResponse as _dagrpc_v1_ListFunctionsResponse, ListFunctionsResponse__Output as _dagrpc_v1_ListFunctionsResponse__Output } from './dagrpc/v1/ListFunctionsResponse';
import type { Manifest as _dagrpc_v1_Manifest, Manifest__Output as _dagrpc_v1_Manifest__Output } from './dagrpc/v1/Manifest';
import type { ManifestEntry as _dagrpc_v1_ManifestEntry, ManifestEntry__Output as _dagrpc_v1_ManifestEntry__Output } from './dagrpc/v1/ManifestEntry';
import type { NamedCall as _dagrpc_v1_NamedCall, NamedCall__Output as _dagrpc_v1_NamedCall__Output } from './dagrpc/v1/NamedCall';
import type { Payload as _dagrpc_v1_Payload, Payload__Output as _dagrpc_v1_Payload__Output } from './dagrpc/v1/Payload';
import type { RenewRequest as _dagrpc_v1_RenewRequest, RenewRequest__Output as _dagrpc_v1_RenewRequest__Output } from './dagrpc/v1/RenewRequest';
import type { RenewResponse as _dagrpc_v1_RenewResponse, RenewResponse__Output as _dagrpc_v1_RenewResponse__Output } from './dagrpc/v1/RenewResponse';
import type { ResultRequest as _dagrpc_v1_ResultRequest, ResultRequest__Output as _dagrpc_v1_ResultRequest__Output } from './dagrpc/v1/ResultRequest';
import type { ResultResponse as _dagrpc_v1_ResultResponse, ResultResponse__Output as _dagrpc_v1_ResultResponse__Output } from './dagrpc/v1/ResultResponse';
import type { Resumption as _dagrpc_v1_Resumption, Resumption__Output as _dagrpc_v1_Resumption__Output } from './dagrpc/v1/Resumption';
import type { SharedPayload as _dagrpc_v1_SharedPayload, SharedPayload__Output as _dagrpc_v1_SharedPayload__Output } from './dagrpc/v1/SharedPayload';
import type { SubmitRequest as _dagrpc_v1_SubmitRequest, SubmitRequest__Output as _dagrpc_v1_SubmitRequest__Output } from './dagrpc/v1/SubmitRequest';
import type { SubmitResponse as _dagrpc_v1_SubmitResponse, SubmitResponse__Output as _dagrpc_v1_SubmitResponse__Output } from './dagrpc/v1/SubmitResponse';
import type { TaskOptions as _dagrpc_v1_TaskOptions, TaskOptions__Output as _dagrpc_v1_TaskOptions__Output } from './dagrpc/v1/TaskOptions';
import type { TaskServiceClient as _dagrpc_v1_TaskServiceClient, TaskServiceDefinition as _dagrpc_v1_TaskServiceDefinition } from './dagrpc/v1/TaskService';
import type { TaskSpec as _dagrpc_v1_TaskSpec, TaskSpec__Output as _dagrpc_v1_TaskSpec__Output } from './dagrpc/v1/TaskSpec';
import type { TaskStatus as _dagrpc_v1_TaskStatus, TaskStatus__Output as _dagrpc_v1_TaskStatus__Output } from './dagrpc/v1/TaskStatus';
import type { TransferEnd as _dagrpc_v1_TransferEnd, TransferEnd__Output as _dagrpc_v1_TransferEnd__Output } from './dagrpc/v1/TransferEnd';
import type { Versions as _dagrpc_v1_Versions, Versions__Output as _dagrpc_v1_Versions__Output } from './dagrpc/v1/Versions';
import type { WaitRequest as _dagrpc_v1_WaitRequest, WaitRequest__Output as _dagrpc_v1_WaitRequest__Output } from './dagrpc/v1/WaitRequest';
import type { WaitResponse as _dagrpc_v1_WaitResponse, WaitResponse__Output as _dagrpc_v1_WaitResponse__Output } from './dagrpc/v1/WaitResponse';
import type { WatchRequest as _dagrpc_v1_WatchRequest, WatchRequest__Output as _dagrpc_v1_WatchRequest__Output } from './dagrpc/v1/WatchRequest';
import type { WatchResponse as _dagrpc_v1_WatchResponse, WatchResponse__Output as _dagrpc_v1_WatchResponse__Output } from './dagrpc/v1/WatchResponse';
import type { WorkerExit as _dagrpc_v1_WorkerExit, WorkerExit__Output as _dagrpc_v1_WorkerExit__Output } from './dagrpc/v1/WorkerExit';
import type { DescriptorProto as _google_protobuf_DescriptorProto, DescriptorProto__Output as _google_protobuf_DescriptorProto__Output } from './google/protobuf/DescriptorProto';
import type { Duration as _google_protobuf_Duration, Duration__Output as _google_protobuf_Duration__Output } from './google/protobuf/Duration';
import type { EnumDescriptorProto as _google_protobuf_EnumDescriptorProto, EnumDescriptorProto__Output as _google_protobuf_EnumDescriptorProto__Output } from './google/protobuf/EnumDescriptorProto';
import type { EnumOptions as _google_protobuf_EnumOptions, EnumOptions__Output as _google_protobuf_EnumOptions__Output } from './google/protobuf/EnumOptions';
import type { EnumValueDescriptorProto as _google_protobuf_EnumValueDescriptorProto, EnumValueDescriptorProto__Output as _google_protobuf_EnumValueDescriptorProto__Output } from './google/protobuf/EnumValueDescriptorProto';
import type { EnumValueOptions as _google_protobuf_EnumValueOptions, EnumValueOptions__Output as _google_protobuf_EnumValueOptions__Output } from './google/protobuf/EnumValueOptions';
import type { ExtensionRangeOptions as _google_protobuf_ExtensionRangeOptions, ExtensionRangeOptions__Output as _google_protobuf_ExtensionRangeOptions__Output } from './google/protobuf/ExtensionRangeOptions';
import type { FeatureSet as _google_protobuf_FeatureSet, FeatureSet__Output as _google_protobuf_FeatureSet__Output } from './google/protobuf/FeatureSet';
import type { FeatureSetDefaults as _google_protobuf_FeatureSetDefaults, FeatureSetDefaults__Output as _google_protobuf_FeatureSetDefaults__Output } from './google/protobuf/FeatureSetDefaults';
import type { FieldDescriptorProto as _google_protobuf_FieldDescriptorProto, FieldDescriptorProto__Output as _google_protobuf_FieldDescriptorProto__Output } from './google/protobuf/FieldDescriptorProto';
import type { FieldOptions as _google_protobuf_FieldOptions, FieldOptions__Output as _google_protobuf_FieldOptions__Output } from './google/protobuf/FieldOptions';
import type { FileDescriptorProto as _google_protobuf_FileDescriptorProto, FileDescriptorProto__Output as _google_protobuf_FileDescriptorProto__Output } from './google/protobuf/FileDescriptorProto';
import type { FileDescriptorSet as _google_protobuf_FileDescriptorSet, FileDescriptorSet__Output as _google_protobuf_FileDescriptorSet__Output } from './google/protobuf/FileDescriptorSet';
import type { FileOptions as _google_protobuf_FileOptions, FileOptions__Output as _google_protobuf_FileOptions__Output } from './google/protobuf/FileOptions';
import type { GeneratedCodeInfo as _google_protobuf_GeneratedCodeInfo, GeneratedCodeInfo__Output as _google_protobuf_GeneratedCodeInfo__Output } from './google/protobuf/GeneratedCodeInfo';
import type { MessageOptions as _google_protobuf_MessageOptions, MessageOptions__Output as _google_protobuf_MessageOptions__Output } from './google/protobuf/MessageOptions';
import type { MethodDescriptorProto as _google_protobuf_MethodDescriptorProto, MethodDescriptorProto__Output as _google_protobuf_MethodDescriptorProto__Output } from './google/protobuf/MethodDescriptorProto';
import type { MethodOptions as _google_protobuf_MethodOptions, MethodOptions__Output as _google_protobuf_MethodOptions__Output } from './google/protobuf/MethodOptions';
import type { OneofDescriptorProto as _google_protobuf_OneofDescriptorProto, OneofDescriptorProto__Output as _google_protobuf_OneofDescriptorProto__Output } from './google/protobuf/OneofDescriptorProto';
import type { OneofOptions as _google_protobuf_OneofOptions, OneofOptions__Output as _google_protobuf_OneofOptions__Output } from './google/protobuf/OneofOptions';
import type { ServiceDescriptorProto as _google_protobuf_ServiceDescriptorProto, ServiceDescriptorProto__Output as _google_protobuf_ServiceDescriptorProto__Output } from './google/protobuf/ServiceDescriptorProto';
import type { ServiceOptions as _google_protobuf_ServiceOptions, ServiceOptions__Output as _google_protobuf_ServiceOptions__Output } from './google/protobuf/ServiceOptions';
import type { SourceCodeInfo as _google_protobuf_SourceCodeInfo, SourceCodeInfo__Output as _google_protobuf_SourceCodeInfo__Output } from './google/protobuf/SourceCodeInfo';
import type { UninterpretedOption as _google_protobuf_UninterpretedOption, UninterpretedOption__Output as _google_protobuf_UninterpretedOption__Output } from './google/protobuf/UninterpretedOption';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  dagrpc: {
    v1: {
      Access: MessageTypeDefinition<_dagrpc_v1_Access, _dagrpc_v1_Access__Output>
      Argument: MessageTypeDefinition<_dagrpc_v1_Argument, _dagrpc_v1_Argument__Output>
      Call: MessageTypeDefinition<_dagrpc_v1_Call, _dagrpc_v1_Call__Output>
      CancelRequest: MessageTypeDefinition<_dagrpc_v1_CancelRequest, _dagrpc_v1_CancelRequest__Output>
      CancelResponse: MessageTypeDefinition<_dagrpc_v1_CancelResponse, _dagrpc_v1_CancelResponse__Output>
      DataChunk: MessageTypeDefinition<_dagrpc_v1_DataChunk, _dagrpc_v1_DataChunk__Output>
      DataOutcome: EnumTypeDefinition
      DataRef: MessageTypeDefinition<_dagrpc_v1_DataRef, _dagrpc_v1_DataRef__Output>
      ExitCause: EnumTypeDefinition
      Failure: MessageTypeDefinition<_dagrpc_v1_Failure, _dagrpc_v1_Failure__Output>
      FailureKind: EnumTypeDefinition
      Fragment: MessageTypeDefinition<_dagrpc_v1_Fragment, _dagrpc_v1_Fragment__Output>
      Function: MessageTypeDefinition<_dagrpc_v1_Function, _dagrpc_v1_Function__Output>
      GraphPart: MessageTypeDefinition<_dagrpc_v1_GraphPart, _dagrpc_v1_GraphPart__Output>
      LeasedState: EnumTypeDefinition
      ListFunctionsRequest: MessageTypeDefinition<_dagrpc_v1_ListFunctionsRequest, _dagrpc_v1_ListFunctionsRequest__Output>
      ListFunctionsResponse: MessageTypeDefinition<_dagrpc_v1_ListFunctionsResponse, _dagrpc_v1_ListFunctionsResponse__Output>
      Manifest: MessageTypeDefinition<_dagrpc_v1_Manifest, _dagrpc_v1_Manifest__Output>
      ManifestEntry: MessageTypeDefinition<_dagrpc_v1_ManifestEntry, _dagrpc_v1_ManifestEntry__Output>
      NamedCall: MessageTypeDefinition<_dagrpc_v1_NamedCall, _dagrpc_v1_NamedCall__Output>
      Payload: MessageTypeDefinition<_dagrpc_v1_Payload, _dagrpc_v1_Payload__Output>
      RenewRequest: MessageTypeDefinition<_dagrpc_v1_RenewRequest, _dagrpc_v1_RenewRequest__Output>
      RenewResponse: MessageTypeDefinition<_dagrpc_v1_RenewResponse, _dagrpc_v1_RenewResponse__Output>
      ResultRequest: MessageTypeDefinition<_dagrpc_v1_ResultRequest, _dagrpc_v1_ResultRequest__Output>
      ResultResponse: MessageTypeDefinition<_dagrpc_v1_ResultResponse, _dagrpc_v1_ResultResponse__Output>
      Resumption: MessageTypeDefinition<_dagrpc_v1_Resumption, _dagrpc_v1_Resumption__Output>
      Role: EnumTypeDefinition
      SharedPayload: MessageTypeDefinition<_dagrpc_v1_SharedPayload, _dagrpc_v1_SharedPayload__Output>
      SubmitRequest: MessageTypeDefinition<_dagrpc_v1_SubmitRequest, _dagrpc_v1_SubmitRequest__Output>
      SubmitResponse: MessageTypeDefinition<_dagrpc_v1_SubmitResponse, _dagrpc_v1_SubmitResponse__Output>
      TaskOptions: MessageTypeDefinition<_dagrpc_v1_TaskOptions, _dagrpc_v1_TaskOptions__Output>
      TaskService: SubtypeConstructor<typeof grpc.Client, _dagrpc_v1_TaskServiceClient> & { service: _dagrpc_v1_TaskServiceDefinition }
      TaskSpec: MessageTypeDefinition<_dagrpc_v1_TaskSpec, _dagrpc_v1_TaskSpec__Output>
      TaskStatus: MessageTypeDefinition<_dagrpc_v1_TaskStatus, _dagrpc_v1_TaskStatus__Output>
      TransferEnd: MessageTypeDefinition<_dagrpc_v1_TransferEnd, _dagrpc_v1_TransferEnd__Output>
      Versions: MessageTypeDefinition<_dagrpc_v1_Versions, _dagrpc_v1_Versions__Output>
      WaitRequest: MessageTypeDefinition<_dagrpc_v1_WaitRequest, _dagrpc_v1_WaitRequest__Output>
      WaitResponse: MessageTypeDefinition<_dagrpc_v1_WaitResponse, _dagrpc_v1_WaitResponse__Output>
      WatchRequest: MessageTypeDefinition<_dagrpc_v1_WatchRequest, _dagrpc_v1_WatchRequest__Output>
      WatchResponse: MessageTypeDefinition<_dagrpc_v1_WatchResponse, _dagrpc_v1_WatchResponse__Output>
      WorkerExit: MessageTypeDefinition<_dagrpc_v1_WorkerExit, _dagrpc_v1_WorkerExit__Output>
      WorkerStatus: EnumTypeDefinition
    }
  }
  google: {
    protobuf: {
      DescriptorProto: MessageTypeDefinition<_google_protobuf_DescriptorProto, _google_protobuf_DescriptorProto__Output>
      Duration: MessageTypeDefinition<_google_protobuf_Duration, _google_protobuf_Duration__Output>
      Edition: EnumTypeDefinition
      EnumDescriptorProto: MessageTypeDefinition<_google_protobuf_EnumDescriptorProto, _google_protobuf_EnumDescriptorProto__Output>
      EnumOptions: MessageTypeDefinition<_google_protobuf_EnumOptions, _google_protobuf_EnumOptions__Output>
      EnumValueDescriptorProto: MessageTypeDefinition<_google_protobuf_EnumValueDescriptorProto, _google_protobuf_EnumValueDescriptorProto__Output>
      EnumValueOptions: MessageTypeDefinition<_google_protobuf_EnumValueOptions, _google_protobuf_EnumValueOptions__Output>
      ExtensionRangeOptions: MessageTypeDefinition<_google_protobuf_ExtensionRangeOptions, _google_protobuf_ExtensionRangeOptions__Output>
      FeatureSet: MessageTypeDefinition<_google_protobuf_FeatureSet, _google_protobuf_FeatureSet__Output>
      FeatureSetDefaults: MessageTypeDefinition<_google_protobuf_FeatureSetDefaults, _google_protobuf_FeatureSetDefaults__Output>
      FieldDescriptorProto: MessageTypeDefinition<_google_protobuf_FieldDescriptorProto, _google_protobuf_FieldDescriptorProto__Output>
      FieldOptions: MessageTypeDefinition<_google_protobuf_FieldOptions, _google_protobuf_FieldOptions__Output>
      FileDescriptorProto: MessageTypeDefinition<_google_protobuf_FileDescriptorProto, _google_protobuf_FileDescriptorProto__Output>
      FileDescriptorSet: MessageTypeDefinition<_google_protobuf_FileDescriptorSet, _google_protobuf_FileDescriptorSet__Output>
      FileOptions: MessageTypeDefinition<_google_protobuf_FileOptions, _google_protobuf_FileOptions__Output>
      GeneratedCodeInfo: MessageTypeDefinition<_google_protobuf_GeneratedCodeInfo, _google_protobuf_GeneratedCodeInfo__Output>
      MessageOptions: MessageTypeDefinition<_google_protobuf_MessageOptions, _google_protobuf_MessageOptions__Output>
      MethodDescriptorProto: MessageTypeDefinition<_google_protobuf_MethodDescriptorProto, _google_protobuf_MethodDescriptorProto__Output>
      MethodOptions: MessageTypeDefinition<_google_protobuf_MethodOptions, _google_protobuf_MethodOptions__Output>
      OneofDescriptorProto: MessageTypeDefinition<_google_protobuf_OneofDescriptorProto, _google_protobuf_OneofDescriptorProto__Output>
      OneofOptions: MessageTypeDefinition<_google_protobuf_OneofOptions, _google_protobuf_OneofOptions__Output>
      ServiceDescriptorProto: MessageTypeDefinition<_google_protobuf_ServiceDescriptorProto, _google_protobuf_ServiceDescriptorProto__Output>
      ServiceOptions: MessageTypeDefinition<_google_protobuf_ServiceOptions, _google_protobuf_ServiceOptions__Output>
      SourceCodeInfo: MessageTypeDefinition<_google_protobuf_SourceCodeInfo, _google_protobuf_SourceCodeInfo__Output>
      SymbolVisibility: EnumTypeDefinition
      UninterpretedOption: MessageTypeDefinition<_google_protobuf_UninterpretedOption, _google_protobuf_UninterpretedOption__Output>
    }
  }
}

