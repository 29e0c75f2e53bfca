#include "rpc/log_service.h"

#include "rpc/consume_call.h"
#include "rpc/consume_stream.h"
#include "rpc/produce_call.h"
#include "rpc/produce_stream.h"
#include "rpc/unary_call.h"

namespace cairn::rpc {

grpc::ServerUnaryReactor* LogService::Produce(grpc::CallbackServerContext* call,
                                              const logapi::v1::ProduceRequest* request,
                                              logapi::v1::ProduceResponse* response) {
  return StartProduce(context_, call, request, response);
}

grpc::ServerUnaryReactor* LogService::Consume(grpc::CallbackServerContext* call,
                                              const grpc::ByteBuffer* request,
                                              grpc::ByteBuffer* response) {
  return StartConsume(context_, call, request, response);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* LogService::ConsumeStream(
    grpc::CallbackServerContext* call, const grpc::ByteBuffer* request) {
  return StartConsumeStream(context_, call, request);
}

grpc::ServerBidiReactor<logapi::v1::ProduceRequest, logapi::v1::ProduceResponse>*
LogService::ProduceStream(grpc::CallbackServerContext* call) {
  return StartProduceStream(context_, call);
}

grpc::ServerUnaryReactor* LogService::GetServers(grpc::CallbackServerContext* call,
                                                 const logapi::v1::GetServersRequest* /*request*/,
                                                 logapi::v1::GetServersResponse* response) {
  auto* reactor = new UnaryCall(context_, call, "/log.v1.Log/GetServers");
  // The ancestor's clients ask before anything else, and its policies do not speak of it.
  if (!reactor->IsKnown()) return reactor;
  for (const ServerInfo& server : context_.servers()) {
    logapi::v1::Server* to = response->add_servers();
    to->set_id(server.id);
    to->set_rpc_addr(server.rpc_addr);
    to->set_is_leader(server.is_leader);
  }
  reactor->End(absl::OkStatus());
  return reactor;
}

}  // namespace cairn::rpc
