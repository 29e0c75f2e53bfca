#include "rpc/produce_call.h"

#include <memory>
#include <utility>

#include "api/status_codec.h"
#include "rpc/produce_codec.h"

namespace cairn::rpc {
namespace {

// Lives until gRPC's OnDone, which cannot come before Finish, which cannot come before the append's
// answer.
class ProduceCall final : public grpc::ServerUnaryReactor {
 public:
  ProduceCall(const ServiceContext& context, grpc::CallbackServerContext* call,
              logapi::v1::ProduceResponse* response)
      : context_(context), response_(response), report_(context, call, "/log.v1.Log/Produce") {}

  void Start(logapi::v1::ProduceRequest& request) {
    const std::string_view topic = TopicName(request.topic());
    report_.SetPartition(topic, request.partition());
    if (absl::Status may = report_.Check(security::Action::kProduce, request.topic()); !may.ok()) {
      return End(std::move(may));
    }
    auto found = context_.broker.FindPartition(topic, PartitionId(request.partition()));
    if (!found.ok()) return End(found.status());
    partition_ = *std::move(found);
    auto input = ReadProduceRequest(request, context_.clock.WallMs());
    if (!input.ok()) return End(input.status());
    if (report_.span().sampled()) {
      report_.SetRecords(input->batch.record_count);
      input->batch.trace = report_.span().context;
    }
    partition_->Produce(std::move(input->batch), input->expected_offset,
                        [this](absl::StatusOr<broker::ProduceResult> result) {
                          if (!result.ok()) return End(result.status());
                          WriteProduceResponse(*result, *response_);
                          End(absl::OkStatus());
                        });
  }

  void OnDone() override {
    report_.Done(status_, 1, status_.ok() ? 1 : 0);
    delete this;
  }

 private:
  void End(absl::Status status) {
    status_ = std::move(status);
    Finish(api::ToGrpcStatus(status_));
  }

  const ServiceContext& context_;
  logapi::v1::ProduceResponse* const response_;
  CallReport report_;
  std::shared_ptr<broker::Partition> partition_;  // until it has answered
  absl::Status status_;
};

}  // namespace

grpc::ServerUnaryReactor* StartProduce(const ServiceContext& context,
                                       grpc::CallbackServerContext* call,
                                       const logapi::v1::ProduceRequest* request,
                                       logapi::v1::ProduceResponse* response) {
  auto* reactor = new ProduceCall(context, call, response);
  // gRPC parsed the request for this call alone and does not look at it again, so its bytes may be
  // moved out.
  reactor->Start(const_cast<logapi::v1::ProduceRequest&>(*request));
  return reactor;
}

}  // namespace cairn::rpc
