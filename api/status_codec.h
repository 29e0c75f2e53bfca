// How a cairn error travels: absl::Status with base::ErrorInfo to and from grpc::Status with
// google.rpc details, and the Error message that ProduceStream carries in band.
//
// A failed RPC's details hold google.rpc.ErrorInfo{reason, domain "cairn", metadata} when the
// status carries a base::ErrorInfo, and google.rpc.LocalizedMessage{"en-US"} for an offset out of
// range, which clients of the ancestor show. Both servers and clients link this. Stateless; any
// thread.
#pragma once

#include "absl/status/status.h"

namespace grpc {
class Status;
}

namespace cairn::logapi::v1 {
class Error;
}

namespace cairn::api {

// The trailer that carries the details is kept below the 8 KiB of metadata that peers accept by
// default; longer messages and metadata values are cut to this.
inline constexpr size_t kMaxStatusTextBytes = 1024;
// A server's details longer than this are not parsed: the status then arrives without ErrorInfo.
inline constexpr size_t kMaxStatusDetailsBytes = 64 << 10;

// OK becomes OK.
grpc::Status ToGrpcStatus(const absl::Status& status);

// The inverse. A code outside the canonical ones becomes UNKNOWN, with the number in the message.
// Details that cannot be parsed, and ErrorInfo of another domain, are dropped; code and message
// stay.
absl::Status FromGrpcStatus(const grpc::Status& status);

// `status` is not OK.
void ToErrorMessage(const absl::Status& status, logapi::v1::Error& error);

// The inverse. A code of OK or outside the canonical ones becomes UNKNOWN.
absl::Status FromErrorMessage(const logapi::v1::Error& error);

}  // namespace cairn::api
