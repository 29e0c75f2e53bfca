#include "rpc/consume_call.h"

#include <grpcpp/impl/codegen/proto_utils.h>

#include <deque>
#include <memory>
#include <utility>

#include "api/status_codec.h"
#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "rpc/consume_start.h"
#include "rpc/limits.h"
#include "rpc/response_builder.h"

namespace cairn::rpc {
namespace {

class ConsumeCall final : public grpc::ServerUnaryReactor {
 public:
  ConsumeCall(const ServiceContext& context, grpc::CallbackServerContext* call,
              grpc::ByteBuffer* response)
      : context_(context), response_(response), report_(context, call, "/log.v1.Log/Consume") {}

  void Start(const grpc::ByteBuffer& request) {
    auto input = ParseConsumeRequest(request);
    if (!input.ok()) return End(input.status());
    report_.SetPartition(input->topic, input->partition.value());
    if (absl::Status may = report_.Check(security::Action::kConsume, input->requested_topic);
        !may.ok()) {
      return End(std::move(may));
    }
    auto found = context_.broker.FindPartition(input->topic, input->partition);
    if (!found.ok()) return End(found.status());
    input_ = *std::move(input);
    partition_ = *std::move(found);
    if (!input_.linearizable) return ReadSoon();
    partition_->ReadBarrier([this](const absl::Status& proven) {
      if (!proven.ok()) return End(proven);
      ReadSoon();
    });
  }

  void OnDone() override {
    report_.Done(status_, 1, status_.ok() ? 1 : 0);
    delete this;
  }

 private:
  void ReadSoon() {
    if (!context_.readers.Submit([this] { End(Read()); })) End(TooManyReads());
  }

  absl::Status Read() {
    CAIRN_ASSIGN_OR_RETURN(const Offset from, ResolveStart(input_, *partition_));
    CAIRN_ASSIGN_OR_RETURN(broker::FetchResult fetched, partition_->Fetch(from, input_.max_bytes));
    // At the very end there is nothing to put into `record`; the other modes answer with no records
    // and say where the end is.
    if (fetched.entries.empty() && input_.mode == ConsumeMode::kSingleRecord) {
      return OutOfRange(from, *partition_);
    }
    ResponseBuilder builder(input_.mode, input_.max_records, input_.max_bytes, from, std::nullopt);
    builder.Add(std::move(fetched));
    std::deque<grpc::ByteBuffer> responses;
    CAIRN_RETURN_IF_ERROR(builder.Build(responses, 1));
    report_.SetRecords(builder.CountConsumed(*partition_));
    *response_ = responses.empty() ? builder.EmptyResponse() : std::move(responses.front());
    return absl::OkStatus();
  }

  void End(absl::Status status) {
    status_ = std::move(status);
    Finish(api::ToGrpcStatus(status_));
  }

  const ServiceContext& context_;
  grpc::ByteBuffer* const response_;
  CallReport report_;
  ConsumeInput input_;
  std::shared_ptr<broker::Partition> partition_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<ConsumeInput> ParseConsumeRequest(const grpc::ByteBuffer& buffer) {
  logapi::v1::ConsumeRequest request;
  grpc::ByteBuffer bytes(
      buffer);  // a reference to the same slices: parsing consumes what it is given
  const grpc::Status parsed =
      grpc::SerializationTraits<logapi::v1::ConsumeRequest>::Deserialize(&bytes, &request);
  if (!parsed.ok()) {
    return absl::InternalError(
        base::StrCat("the request is no ConsumeRequest: ", parsed.error_message()));
  }
  return ReadConsumeRequest(request);
}

absl::Status TooManyReads() {
  return base::MakeError(absl::StatusCode::kResourceExhausted,
                         base::StrCat("more than ", kMaxQueuedReads, " reads are waiting"),
                         base::reason::kOverloaded);
}

grpc::ServerUnaryReactor* StartConsume(const ServiceContext& context,
                                       grpc::CallbackServerContext* call,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) {
  auto* reactor = new ConsumeCall(context, call, response);
  reactor->Start(*request);
  return reactor;
}

}  // namespace cairn::rpc
