#include "rpc/grpc_server.h"

#include <fcntl.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <utility>

#include "rpc/admin_service.h"
#include "rpc/health_watches.h"
#include "rpc/limits.h"
#include "rpc/log_service.h"
#include "rpc/reader_pool.h"
#include "rpc/stream_registry.h"
#include "rpc/tls_server_credentials.h"

namespace cairn::rpc {
namespace {

// Both switches are of the process and work only before the first server is built.
void SwitchOnPlugins(bool reflection) {
  static std::once_flag once;
  std::call_once(once, [reflection] {
    grpc::EnableDefaultHealthCheckService(true);
    if (reflection) grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

void ApplyLimits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.SetMaxSendMessageSize(-1);  // what we send is bounded by what we store
  builder.SetResourceQuota(grpc::ResourceQuota("cairn").Resize(kGrpcMemoryBytes));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kGrpcHandshakeTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinClientPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kMaxConnectionIdleMs);
}

}  // namespace

class GrpcServer::Impl {
 public:
  Impl(cluster::Node& node, cluster::Membership& membership, env::Clock& clock,
       RpcObserver& observer, GrpcServerOptions options)
      : options_(std::move(options)),
        observer_(observer),
        security_(MakeSecurity(clock)),
        context_{.broker = node,
                 .node = node,
                 .membership = membership,
                 .clock = clock,
                 .observer = observer,
                 .readers = readers_,
                 .streams = streams_,
                 .positions = positions_,
                 .servers = options_.servers,
                 .security = security_,
                 .tracer = options_.tracer},
        readers_(options_.reader_threads, kMaxQueuedReads),
        log_(context_),
        admin_(context_) {}

  absl::Status Start() {
    SwitchOnPlugins(options_.reflection);
    grpc::ServerBuilder builder;
    ApplyLimits(builder);
    builder.RegisterService(&log_);
    builder.RegisterService(&admin_);
    acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        options_.tls == nullptr ? grpc::InsecureServerCredentials()
                                : TlsServerCredentials(*options_.tls));
    builder.experimental().SetInterceptorCreators(watches_.Interceptors());
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) return absl::InternalError("gRPC did not start");
    for (const std::string_view service : kHealthServices) SetServing(service, false);
    return absl::OkStatus();
  }

  void HandleConnection(std::unique_ptr<env::Connection> connection,
                        const std::string& first_bytes) {
    const std::string peer = connection->peer_address();
    const std::optional<int> descriptor = connection->ReleaseDescriptor();
    if (!descriptor.has_value()) {
      return observer_.OnConnectionRejected(peer, "gRPC needs a real socket");
    }
    if (options_.max_descriptor > 0 && *descriptor >= options_.max_descriptor) {
      close(*descriptor);
      return observer_.OnConnectionRejected(peer, "too many connections");
    }
    // gRPC sets this on the sockets it accepts itself, not on those it is given. A failure costs
    // speed only.
    const int on = 1;
    (void)setsockopt(*descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
    parameters.listener_fd = -1;
    parameters.fd = *descriptor;
    grpc::Slice consumed(first_bytes.data(), first_bytes.size());
    parameters.read_buffer = grpc::ByteBuffer(&consumed, 1);
    acceptor_->HandleNewConnection(&parameters);
  }

  void Recheck() { streams_.RecheckAll(); }

  void SetServing(std::string_view service, bool serving) {
    if (auto* health = server_->GetHealthCheckService()) {
      health->SetServingStatus(std::string(service), serving);
    }
  }

  void Shutdown(int64_t deadline_ms) {
    std::call_once(shut_down_, [&] {
      if (server_ == nullptr) return;
      streams_.DrainAll();
      watches_.EndAll();
      server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(deadline_ms));
      server_->Wait();
    });
  }

  size_t open_streams() const { return streams_.size(); }
  ConsumerLags consumer_lags() const { return positions_.Lags(); }

 private:
  Security MakeSecurity(const env::Clock& clock) {
    if (options_.tls != nullptr) identities_.emplace(*options_.tls, clock);
    return {.access = options_.access,
            .tls = options_.tls,
            .identities = identities_ ? &*identities_ : nullptr,
            .from_cluster = options_.access_from_cluster};
  }

  const GrpcServerOptions options_;
  RpcObserver& observer_;
  std::optional<ClientIdentities> identities_;
  const Security security_;
  StreamRegistry streams_;
  HealthWatches watches_;
  ConsumerPositions positions_;
  const ServiceContext context_;
  ReaderPool readers_;  // behind what its last jobs look at
  LogService log_;
  AdminService admin_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
  std::once_flag shut_down_;
};

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(cluster::Node& node,
                                                              cluster::Membership& membership,
                                                              env::Clock& clock,
                                                              RpcObserver& observer,
                                                              GrpcServerOptions options) {
  auto impl = std::make_unique<Impl>(node, membership, clock, observer, std::move(options));
  if (absl::Status started = impl->Start(); !started.ok()) return started;
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

GrpcServer::~GrpcServer() { impl_->Shutdown(0); }

void GrpcServer::HandleConnection(std::unique_ptr<env::Connection> connection,
                                  std::string first_bytes) {
  impl_->HandleConnection(std::move(connection), first_bytes);
}

void GrpcServer::Recheck() { impl_->Recheck(); }

void GrpcServer::SetServing(std::string_view service, bool serving) {
  impl_->SetServing(service, serving);
}

void GrpcServer::Shutdown(int64_t deadline_ms) { impl_->Shutdown(deadline_ms); }

size_t GrpcServer::open_streams() const { return impl_->open_streams(); }
ConsumerLags GrpcServer::consumer_lags() const { return impl_->consumer_lags(); }

}  // namespace cairn::rpc
