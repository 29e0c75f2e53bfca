#include "server/server.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "base/strings.h"
#include "env/event_loop.h"
#include "env/host_port.h"
#include "env/posix.h"
#include "http/health_routes.h"
#include "http/http_server.h"
#include "rpc/grpc_server.h"
#include "rpc/port_multiplexer.h"
#include "server/process_tuning.h"
#include "server/rpc_log.h"

namespace cairn::server {
namespace {

std::string HostName() {
  char name[256] = {};
  if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0') return "localhost";
  return name;
}

bool IsWildcard(std::string_view host) { return host == "0.0.0.0" || host == "::"; }

// Connections get three quarters of the descriptors; the rest is for segments and the broker's
// other files.
int ConnectionDescriptors() {
  const int limit = RaiseDescriptorLimit();
  return limit - limit / 4;
}

void LogRecovery(Logger& logger, const std::string& topic, PartitionId partition,
                 const log::RecoveryReport& report) {
  for (const log::Damage& damage : report.damages) {
    logger.Log(LogLevel::kError, "damaged log",
               {{"topic", topic},
                {"partition", int64_t{partition.value()}},
                {"damage", log::Describe(damage)}});
  }
  for (const std::string& note : report.notes) {
    logger.Log(LogLevel::kWarn, "recovery",
               {{"topic", topic}, {"partition", int64_t{partition.value()}}, {"note", note}});
  }
}

}  // namespace

class Server::Impl {
 public:
  Impl(const ServerConfig& config, Logger& logger)
      : config_(config),
        logger_(logger),
        rpc_log_(logger),
        node_name_(config.node_name.empty() ? HostName() : config.node_name),
        fs_(env::NewPosixFileSystem()) {}

  ~Impl() { Stop(); }

  absl::Status Start() {
    CAIRN_RETURN_IF_ERROR(ValidateConfig(config_));
    TuneProcess();
    const int64_t start_ns = env::SystemClock().MonotonicNs();
    CAIRN_ASSIGN_OR_RETURN(auto listener, Listen());
    CAIRN_RETURN_IF_ERROR(OpenBroker());
    CAIRN_RETURN_IF_ERROR(StartGrpc());
    StartHttp();
    StartMultiplexer(std::move(listener));
    serving_ = true;
    grpc_->SetServing(true);
    logger_.Log(LogLevel::kInfo, "serving",
                {{"address", address_},
                 {"node", node_name_},
                 {"data_dir", config_.data_dir},
                 {"shards", static_cast<int64_t>(shards_.size())},
                 {"partitions", static_cast<int64_t>(broker_->stats().partitions)},
                 {"start_ms", (env::SystemClock().MonotonicNs() - start_ns) / 1'000'000}});
    return absl::OkStatus();
  }

  void Stop() {
    std::call_once(stopped_, [this] {
      serving_ = false;
      if (grpc_ != nullptr) grpc_->SetServing(false);
      if (multiplexer_ != nullptr) multiplexer_->Stop();
      if (grpc_ != nullptr) grpc_->Shutdown(kDrainMs);
      if (broker_ != nullptr) broker_->Stop();
      if (http_ != nullptr) http_->Stop();
      if (broker_ != nullptr) logger_.Log(LogLevel::kInfo, "stopped", {{"node", node_name_}});
    });
  }

  const std::string& address() const { return address_; }
  broker::Broker& broker() { return *broker_; }
  size_t open_streams() const { return grpc_->open_streams(); }

 private:
  struct Shard {
    explicit Shard(size_t number)
        : loop(base::StrCat("cairn-shard-", number)), disk(base::StrCat("cairn-disk-", number)) {}
    env::EventLoop loop;
    env::EventLoop disk;
  };

  absl::StatusOr<std::unique_ptr<env::Listener>> Listen() {
    CAIRN_ASSIGN_OR_RETURN(const env::HostPort bind, env::ParseHostPort(config_.bind_addr));
    const std::string wanted = env::FormatHostPort(bind.host, config_.rpc_port);
    auto listener = network_.Listen(wanted);
    if (!listener.ok()) {
      return absl::Status(listener.status().code(),
                          base::StrCat(base::StdView(listener.status().message()),
                                       "; choose another --rpc-port or --bind-addr"));
    }
    address_ = (*listener)->local_address();
    return listener;
  }

  absl::Status OpenBroker() {
    const size_t count =
        config_.shards != 0 ? config_.shards : std::max(1u, std::thread::hardware_concurrency());
    std::vector<broker::ShardExecutors> executors;
    for (size_t i = 0; i < count; ++i) {
      shards_.push_back(std::make_unique<Shard>(i));
      executors.push_back({.loop = &shards_.back()->loop, .disk = &shards_.back()->disk});
    }
    broker::BrokerOptions options;
    options.data_dir = config_.data_dir;
    options.default_settings = config_.default_settings;
    options.default_partitions = config_.default_partitions;
    options.max_inflight_bytes = config_.max_inflight_bytes;
    options.tail_cache_bytes = config_.tail_cache_bytes;
    options.retention_interval_ms = config_.retention_interval_ms;
    options.on_recovery = [this](const std::string& topic, PartitionId partition,
                                 const log::RecoveryReport& report) {
      LogRecovery(logger_, topic, partition, report);
    };
    CAIRN_ASSIGN_OR_RETURN(broker_,
                           broker::Broker::Open(*fs_, env::SystemClock(), env::SystemRandom(),
                                                std::move(executors), std::move(options)));
    return absl::OkStatus();
  }

  absl::Status StartGrpc() {
    rpc::GrpcServerOptions options;
    options.reader_threads = std::max(2u, std::thread::hardware_concurrency());
    options.max_descriptor = ConnectionDescriptors();
    options.servers = [node = rpc::ServerInfo{
                           .id = node_name_, .rpc_addr = AdvertisedAddress(), .is_leader = true}] {
      return std::vector<rpc::ServerInfo>{node};
    };
    CAIRN_ASSIGN_OR_RETURN(
        grpc_, rpc::GrpcServer::Start(*broker_, env::SystemClock(), rpc_log_, std::move(options)));
    return absl::OkStatus();
  }

  // Where clients of other machines reach this node: a wildcard address is none.
  std::string AdvertisedAddress() const {
    const auto bound = env::ParseHostPort(address_);
    if (!bound.ok() || !IsWildcard(bound->host)) return address_;
    return env::FormatHostPort(HostName(), bound->port);
  }

  void StartHttp() {
    http::RouteTable routes;
    http::AddHealthRoutes(routes, [this] { return Readiness(); });
    http_ = std::make_unique<http::HttpServer>(network_, std::move(routes));
  }

  void StartMultiplexer(std::unique_ptr<env::Listener> listener) {
    rpc::PortMultiplexer::Handlers handlers;
    handlers.grpc = [this](std::unique_ptr<env::Connection> connection, std::string first_bytes) {
      grpc_->HandleConnection(std::move(connection), std::move(first_bytes));
    };
    handlers.http = [this](std::unique_ptr<env::Connection> connection, std::string first_bytes) {
      http_->Serve(std::move(connection), std::move(first_bytes));
    };
    multiplexer_ = std::make_unique<rpc::PortMultiplexer>(
        network_, std::move(listener), std::move(handlers), rpc_log_, rpc::MultiplexerOptions{});
    multiplexer_->Start();
  }

  absl::Status Readiness() const {
    if (!serving_) return absl::UnavailableError("the server is starting or shutting down");
    const broker::BrokerStats stats = broker_->stats();
    if (stats.disk_full) return absl::ResourceExhaustedError("the disk is full");
    // One damaged topic does not take the node away from the clients of the others.
    if (stats.partitions > 0 && stats.failed_partitions == stats.partitions) {
      return absl::UnavailableError("no partition serves: the disk failed or every log is damaged");
    }
    return absl::OkStatus();
  }

  const ServerConfig config_;
  Logger& logger_;
  RpcLog rpc_log_;
  const std::string node_name_;
  std::atomic<bool> serving_{false};
  std::once_flag stopped_;

  // In the order of dependence: what stands below uses what stands above.
  std::unique_ptr<env::FileSystem> fs_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<broker::Broker> broker_;
  std::unique_ptr<rpc::GrpcServer> grpc_;
  std::unique_ptr<http::HttpServer> http_;
  std::unique_ptr<rpc::PortMultiplexer> multiplexer_;
  env::EventLoop network_{"cairn-net"};  // last: its thread is gone before what its callbacks use
  std::string address_;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerConfig& config, Logger& logger) {
  auto impl = std::make_unique<Impl>(config, logger);
  CAIRN_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

const std::string& Server::address() const { return impl_->address(); }
broker::Broker& Server::broker() { return impl_->broker(); }
size_t Server::open_streams() const { return impl_->open_streams(); }
void Server::Stop() { impl_->Stop(); }

}  // namespace cairn::server
