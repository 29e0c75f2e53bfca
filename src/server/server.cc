#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "base/strings.h"
#include "cluster/membership.h"
#include "cluster/node.h"
#include "consensus/peer_transport.h"
#include "env/event_loop.h"
#include "env/files.h"
#include "env/host_port.h"
#include "env/lmdb_store.h"
#include "env/posix.h"
#include "env/resolve.h"
#include "http/health_routes.h"
#include "http/http_server.h"
#include "otel/metric_pusher.h"
#include "otel/otlp_tracer.h"
#include "rpc/grpc_server.h"
#include "rpc/port_multiplexer.h"
#include "server/console/console.h"
#include "server/health.h"
#include "server/http_guard.h"
#include "server/leave_cluster.h"
#include "server/membership_options.h"
#include "server/metrics_endpoint.h"
#include "server/node_metrics.h"
#include "server/process_metrics.h"
#include "server/process_tuning.h"
#include "server/rpc_log.h"
#include "server/rpc_metrics.h"
#include "server/secure_dialer.h"
#include "server/security_files.h"
#include "server/self_report.h"
#include "server/tls_acceptor.h"
#include "telemetry/registry.h"

namespace cairn::server {
namespace {

// How long a start waits until the node serves: a minute of polls.
constexpr int kReadyPolls = 60'000;
constexpr auto kReadyPoll = std::chrono::milliseconds(1);

// Connections get three quarters of the descriptors; the rest is for segments and the broker's
// other files.
int ConnectionDescriptors() {
  const int limit = RaiseDescriptorLimit();
  return limit - limit / 4;
}

rpc::ConnectionLimits LimitsOf(const ServerConfig& config) {
  return {.total = config.max_connections != 0 ? config.max_connections
                                               : static_cast<size_t>(ConnectionDescriptors()),
          .per_address = config.max_connections_per_address};
}

void LogRecovery(Logger& logger, const std::string& topic, PartitionId partition,
                 const log::RecoveryReport& report) {
  for (const log::Damage& damage : report.damages) {
    logger.Log(LogModule::kLog, LogLevel::kError, "damaged log",
               {{"topic", topic},
                {"partition", int64_t{partition.value()}},
                {"damage", log::Describe(damage)}});
  }
  for (const std::string& note : report.notes) {
    logger.Log(LogModule::kLog, LogLevel::kWarn, "recovery",
               {{"topic", topic}, {"partition", int64_t{partition.value()}}, {"note", note}});
  }
}

// Of what stops on another thread, if it was started.
template <typename Pointer>
void StopAndWait(const Pointer& stopping) {
  if (stopping == nullptr) return;
  std::promise<void> ended;
  stopping->Stop([&ended] { ended.set_value(); });
  ended.get_future().wait();
}

}  // namespace

class Server::Impl {
 public:
  Impl(const ServerConfig& config, Logger& logger)
      : config_(config),
        logger_(logger),
        rpc_log_(logger),
        registry_(config.metrics_max_partitions),
        node_name_(config.node_name.empty() ? HostName() : config.node_name),
        fs_(env::NewPosixFileSystem()) {}

  ~Impl() { Stop(); }

  absl::Status Start() {
    CAIRN_RETURN_IF_ERROR(ValidateConfig(config_));
    TuneProcess();
    const int64_t start_ns = env::SystemClock().MonotonicNs();
    CAIRN_RETURN_IF_ERROR(OpenSecurity());
    CAIRN_ASSIGN_OR_RETURN(auto listener, Listen());
    CAIRN_RETURN_IF_ERROR(StartMembership());
    StartTracing();
    CAIRN_RETURN_IF_ERROR(OpenNode());
    membership_->Attach(node_.get());
    CAIRN_RETURN_IF_ERROR(StartGrpc());
    StartHttp();
    StartMultiplexer(std::move(listener));
    StartPushing();
    security_->Watch([this] { grpc_->Recheck(); });
    WaitWhenAlone();
    serving_ = true;
    StartHealth();
    logger_.Log(LogModule::kServer, LogLevel::kInfo, "serving",
                {{"address", address_},
                 {"gossip_address", membership_->address()},
                 {"node", node_name_},
                 {"tls", IsTls()},
                 {"acl", security_->access() != nullptr},
                 {"data_dir", config_.data_dir},
                 {"shards", static_cast<int64_t>(shards_.size())},
                 {"partitions", static_cast<int64_t>(node_->stats().partitions)},
                 {"start_ms", (env::SystemClock().MonotonicNs() - start_ns) / 1'000'000}});
    return absl::OkStatus();
  }

  void Stop() {
    std::call_once(stopped_, [this] {
      const bool served = serving_.exchange(false);
      StopAndWait(health_);
      if (served && config_.leave_on_stop) LeaveCluster(*node_, logger_);
      // The others hear that it goes on purpose while it hands over and answers what it accepted.
      std::promise<void> left;
      if (membership_ != nullptr && node_ != nullptr) {
        membership_->Leave([&left] { left.set_value(); });
      } else {
        left.set_value();
      }
      if (node_ != nullptr) node_->HandOver();
      if (multiplexer_ != nullptr) multiplexer_->Stop();
      StopAndWait(console_);
      if (pusher_ != nullptr) pusher_->Stop();
      StopAndWait(&report_);
      acceptor_.Stop();
      StopAndWait(security_);
      if (grpc_ != nullptr) grpc_->Shutdown(kDrainMs);
      left.get_future().wait();
      StopAndWait(membership_);
      if (node_ != nullptr) node_->Stop();
      if (http_ != nullptr) http_->Stop();
      if (tracer_ != nullptr) tracer_->Stop();
      StopAndWait(audit_);
      if (node_ != nullptr)
        logger_.Log(LogModule::kServer, LogLevel::kInfo, "stopped", {{"node", node_name_}});
    });
  }

  void Reload(const ServerConfig& config) {
    security_->Reload();
    if (audit_ != nullptr) audit_->Reopen();
    logger_.SetLevels(config.log_level);
    multiplexer_->SetLimits(LimitsOf(config));
  }

  const std::string& address() const { return address_; }
  cluster::Node& node() { return *node_; }
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

  bool IsTls() const { return !config_.server_tls.certificate.empty(); }
  bool IsPeerTls() const { return !config_.peer_tls.certificate.empty(); }

  absl::Status OpenSecurity() {
    SecurityFiles::Options options;
    options.tls = {.server = config_.server_tls,
                   .peer = config_.peer_tls,
                   .nodes = {.names = config_.peer_names},
                   .http_without_certificate = config_.health_without_certificate};
    options.model_file = config_.acl_model_file;
    options.policy_file = config_.acl_policy_file;
    if (config_.acl_from_cluster) {
      options.cluster_policy_file = env::JoinPath(config_.data_dir, "access-policy");
    }
    if (!config_.audit.path.empty()) CAIRN_RETURN_IF_ERROR(OpenAudit(options.auditor));
    CAIRN_ASSIGN_OR_RETURN(security_, SecurityFiles::Open({.fs = fs_.get(),
                                                           .clock = &env::SystemClock(),
                                                           .executor = &files_,
                                                           .logger = &logger_},
                                                          std::move(options)));
    dialer_ = std::make_unique<consensus::PlainDialer>(network_);
    if (IsPeerTls()) {
      dialer_ = std::make_unique<SecureDialer>(network_, network_, *security_->tls(),
                                               security::NodeRule{.names = config_.peer_names});
    }
    return absl::OkStatus();
  }

  absl::Status OpenAudit(security::Access::Auditor& auditor) {
    CAIRN_ASSIGN_OR_RETURN(
        audit_, security::AuditLog::Open(*fs_, files_, config_.audit, [this](absl::Status why) {
          logger_.Log(LogModule::kSecurity, LogLevel::kError, "audit log cannot be written",
                      {{"error", std::string(base::StdView(why.message()))}});
        }));
    const bool all = config_.audit.which == security::AuditedDecisions::kAll;
    auditor.wants = [all](bool allowed) { return all || !allowed; };
    auditor.record = [audit = audit_.get()](const security::AccessDecision& decision) {
      audit->Record({.time_ms = env::SystemClock().WallMs(),
                     .subject = decision.caller.subject,
                     .address = decision.caller.address,
                     .action = std::string(ToString(decision.action)),
                     .object = std::string(decision.object),
                     .allowed = decision.allowed,
                     .rule = decision.rule});
    };
    return absl::OkStatus();
  }

  // What is sent to a collector, and how.
  void StartTracing() {
    std::vector<std::string> warnings;
    telemetry_ = otel::Resolve(config_.otel, config_.otel_variables,
                               {.node_name = node_name_, .version = CAIRN_VERSION}, warnings);
    for (const std::string& warning : warnings) {
      logger_.Log(LogModule::kServer, LogLevel::kWarn, "telemetry settings", {{"error", warning}});
    }
    if (telemetry_.traces.url.empty() && telemetry_.metrics.url.empty()) return;
    // What stands behind a "?" may be secret.
    const auto shown = [](const std::string& url) { return url.substr(0, url.find('?')); };
    logger_.Log(LogModule::kServer, LogLevel::kInfo, "exporting",
                {{"traces", shown(telemetry_.traces.url)},
                 {"metrics", shown(telemetry_.metrics.url)},
                 {"trace_sampler", ToString(telemetry_.sampling)}});
    if (!telemetry_.traces.url.empty()) {
      tracer_ = std::make_unique<otel::OtlpTracer>(telemetry_, env::SystemClock(), exports_);
    }
  }

  void StartPushing() {
    if (telemetry_.metrics.url.empty()) return;
    pusher_ = std::make_unique<otel::MetricPusher>(
        telemetry_,
        [this](otel::MetricPusher::Done done) {
          scrapes_.Post([this, done = std::move(done)]() mutable { done(registry_.Collect()); });
        },
        exports_);
  }

  absl::Status OpenNode() {
    const size_t count =
        config_.shards != 0 ? config_.shards : std::max(1u, std::thread::hardware_concurrency());
    std::vector<broker::ShardExecutors> executors;
    for (size_t i = 0; i < count; ++i) {
      shards_.push_back(std::make_unique<Shard>(i));
      executors.push_back(
          {.loop = &shards_.back()->loop, .disk = &shards_.back()->disk, .reader = &reader_});
    }
    cluster::NodeOptions node;
    node.description = Description();
    node.description.gossip_address = membership_->address();
    node.join_addresses = config_.start_join_addrs;
    node.bootstrap = config_.bootstrap;
    node.timeouts = {.election_ms = config_.election_timeout_ms,
                     .heartbeat_ms = config_.heartbeat_ms};
    broker::BrokerOptions& options = node.broker;
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
    cluster::Node::Dependencies dependencies;
    dependencies.fs = fs_.get();
    dependencies.clock = &env::SystemClock();
    dependencies.random = &env::SystemRandom();
    dependencies.shards = std::move(executors);
    dependencies.network = &network_;
    dependencies.dialer = dialer_.get();
    dependencies.open_store = env::OpenLmdbStore;
    dependencies.events = [this](cluster::EventLevel level, const std::string& event,
                                 const cluster::EventFields& fields) {
      LogEvent(LogModule::kCluster, level, event, fields);
    };
    dependencies.join_candidates = [membership = membership_] {
      return membership->JoinCandidates();
    };
    dependencies.gossip = [membership = membership_] { return membership->Observe(); };
    dependencies.answer_inquiry = [this](cluster::Inquiry inquiry, cluster::InquiryDone done) {
      report_.Answer(std::move(inquiry), std::move(done));
    };
    dependencies.tracer = tracer_.get();
    if (config_.acl_from_cluster) {
      dependencies.on_access_policy = [security = security_](const cluster::AccessPolicy& policy) {
        security->TakeClusterPolicy(policy);
      };
    }
    CAIRN_ASSIGN_OR_RETURN(node_, cluster::Node::Open(std::move(dependencies), std::move(node)));
    return absl::OkStatus();
  }

  cluster::NodeDescription Description() const {
    return {.name = node_name_,
            .rpc_address = AdvertisedAddress(config_, address_),
            .rack = config_.rack,
            .version = CAIRN_VERSION};
  }

  absl::Status StartMembership() {
    CAIRN_ASSIGN_OR_RETURN(auto options,
                           MembershipOptionsFor(config_, Description(), *fs_, logger_));
    cluster::Membership::Dependencies dependencies;
    dependencies.fs = fs_.get();
    dependencies.clock = &env::SystemClock();
    dependencies.random = &env::SystemRandom();
    dependencies.network = &network_;
    dependencies.executor = &network_;
    dependencies.files = &files_;
    dependencies.resolve = env::ResolveHost;
    dependencies.events = [this](cluster::EventLevel level, const std::string& event,
                                 const cluster::EventFields& fields) {
      LogEvent(LogModule::kGossip, level, event, fields);
    };
    auto membership = cluster::Membership::Start(std::move(dependencies), std::move(options));
    if (absl::IsAlreadyExists(membership.status())) {
      return absl::Status(membership.status().code(),
                          base::StrCat(base::StdView(membership.status().message()),
                                       "; gossip needs an address of its own: choose another "
                                       "--bind-addr (port 0 takes a free one)"));
    }
    CAIRN_RETURN_IF_ERROR(membership.status());
    membership_ = *std::move(membership);
    return absl::OkStatus();
  }

  void LogEvent(LogModule module, cluster::EventLevel level, const std::string& event,
                const cluster::EventFields& fields) {
    std::vector<LogField> log_fields;
    for (const auto& [name, value] : fields) log_fields.push_back({name, value});
    logger_.Log(module,
                level == cluster::EventLevel::kInfo   ? LogLevel::kInfo
                : level == cluster::EventLevel::kWarn ? LogLevel::kWarn
                                                      : LogLevel::kError,
                event, log_fields);
  }

  // A node that is its cluster serves from the moment it says so. One of several says so at once:
  // the others may be waiting for it.
  void WaitWhenAlone() {
    for (int i = 0; i < kReadyPolls && !node_->Readiness().ok() && node_->StandsAlone(); ++i) {
      std::this_thread::sleep_for(kReadyPoll);
    }
  }

  absl::Status StartGrpc() {
    rpc::GrpcServerOptions options;
    options.reader_threads = std::max(2u, std::thread::hardware_concurrency());
    options.max_descriptor = ConnectionDescriptors();
    options.servers = [this] {
      std::vector<rpc::ServerInfo> servers;
      for (const cluster::ServerView& server : node_->Servers()) {
        servers.push_back(
            {.id = server.name, .rpc_addr = server.rpc_address, .is_leader = server.leads_default});
      }
      return servers;
    };
    options.access = security_->access();
    options.access_from_cluster = config_.acl_from_cluster;
    options.tls = IsTls() ? security_->tls() : nullptr;
    options.reflection = !config_.no_reflection;
    options.tracer = tracer_.get();
    CAIRN_ASSIGN_OR_RETURN(grpc_, rpc::GrpcServer::Start(*node_, *membership_, env::SystemClock(),
                                                         rpc_metrics_, std::move(options)));
    return absl::OkStatus();
  }

  void StartHttp() {
    http::RouteTable routes;
    http::AddHealthRoutes(routes, [this] { return CheckHealth(*node_, serving_); });
    AddMetricSources();
    const HttpGuard guard(security_->access(), config_.health_without_certificate);
    metrics_ = std::make_unique<MetricsEndpoint>(
        guard, [this](NodeId node, cluster::Inquiry inquiry, cluster::InquiryDone done) {
          node_->Ask(node, std::move(inquiry), std::move(done));
        });
    metrics_->AddTo(routes);
    console_ = std::make_unique<Console>(
        Console::Options{.node = node_.get(),
                         .membership = membership_.get(),
                         .executor = &console_loop_,
                         .clock = &env::SystemClock(),
                         .observer = &rpc_metrics_,
                         .checks = [this] { return CheckHealth(*node_, serving_); },
                         .guard = guard,
                         .node_name = node_name_,
                         .own_hosts = OwnNames()});
    console_->AddTo(routes);
    http_ = std::make_unique<http::HttpServer>(network_, std::move(routes));
  }

  // Under TLS the certificate says who this is.
  std::optional<OwnHosts> OwnNames() const {
    if (IsTls()) return std::nullopt;
    const auto advertised = env::ParseHostPort(AdvertisedAddress(config_, address_));
    return OwnHosts({node_name_, HostName(), advertised.ok() ? advertised->host : ""});
  }

  void StartHealth() {
    health_ = std::make_unique<HealthWatch>(
        network_, [this] { return CheckHealth(*node_, serving_); },
        [this](std::string_view service, bool serving) { grpc_->SetServing(service, serving); });
    health_->Start();
  }

  void AddMetricSources() {
    using telemetry::Samples;
    registry_.AddSource([this](Samples& samples) { rpc_metrics_.AddTo(samples); });
    registry_.AddSource(
        [this](Samples& samples) { AddNodeMetrics(samples, *node_, grpc_->consumer_lags()); });
    registry_.AddSource([this](Samples& samples) { AddGossipMetrics(samples, *membership_); });
    registry_.AddSource([this](Samples& samples) {
      AddConnectionMetrics(samples, multiplexer_->counters(), tls_refused_.value());
    });
    registry_.AddSource(
        [this](Samples& samples) { AddSecurityMetrics(samples, *security_, audit_.get()); });
    registry_.AddSource([start_ms = env::SystemClock().WallMs()](Samples& samples) {
      AddProcessMetrics(samples, start_ms);
    });
    registry_.AddSource([this](Samples& samples) { AddLogMetrics(samples, logger_); });
    registry_.AddSource([exports = exports_](Samples& samples) { exports->AddTo(samples); });
    registry_.AddSource([this](Samples& samples) {
      samples.Add(telemetry::Metric::kRpcStreams, uint64_t{grpc_->open_streams()});
      samples.Add(telemetry::Metric::kReady,
                  http::Readiness(CheckHealth(*node_, serving_)).ok() ? 1.0 : 0.0);
    });
  }

  void StartMultiplexer(std::unique_ptr<env::Listener> listener) {
    rpc::PortMultiplexer::Handlers handlers;
    handlers.grpc = [this](std::unique_ptr<env::Connection> connection, std::string first_bytes) {
      grpc_->HandleConnection(std::move(connection), std::move(first_bytes));
    };
    handlers.http = [this](std::unique_ptr<env::Connection> connection, std::string first_bytes) {
      if (!IsTls()) return http_->Serve(std::move(connection), std::move(first_bytes));
      acceptor_.Accept(std::move(connection), std::move(first_bytes), security_->tls()->Get()->http,
                       [this](std::unique_ptr<security::TlsConnection> secured) {
                         const auto& peer = secured->peer();
                         std::string subject = peer ? peer->common_name : "";
                         http_->Serve(std::move(secured), "", std::move(subject));
                       });
    };
    handlers.peer = [this](std::unique_ptr<env::Connection> connection, std::string first_bytes) {
      if (!IsPeerTls()) return node_->Accept(std::move(connection), std::move(first_bytes));
      first_bytes.erase(0, 1);
      acceptor_.Accept(std::move(connection), std::move(first_bytes),
                       security_->tls()->Get()->accept_peer,
                       [this](std::unique_ptr<security::TlsConnection> secured) {
                         AcceptPeer(std::move(secured));
                       });
    };
    rpc::MultiplexerOptions options;
    options.tls = IsTls();
    options.limits = LimitsOf(config_);
    multiplexer_ = std::make_unique<rpc::PortMultiplexer>(
        network_, std::move(listener), std::move(handlers), rpc_metrics_, options);
    multiplexer_->Start();
  }

  // The handshake has shown a certificate that the authorities have signed for clients: is it a
  // node's?
  void AcceptPeer(std::unique_ptr<security::TlsConnection> secured) {
    const absl::Status node = CheckNodeCertificate(*secured->peer(), {.names = config_.peer_names});
    if (!node.ok()) {
      logger_.Log(LogModule::kSecurity, LogLevel::kWarn, "a client tried to speak as a node",
                  {{"peer", secured->peer_address()},
                   {"error", std::string(base::StdView(node.message()))}});
      return;
    }
    node_->Accept(std::move(secured), std::string(1, consensus::kPeerFirstByte));
  }

  const ServerConfig config_;
  Logger& logger_;
  RpcLog rpc_log_;
  RpcMetrics rpc_metrics_{rpc_log_};
  telemetry::Registry registry_;
  telemetry::Counter tls_refused_;
  SelfReport report_{{.executor = &scrapes_,
                      .registry = &registry_,
                      .config = &config_,
                      .logger = &logger_,
                      .health = [this] { return CheckHealth(*node_, serving_); }}};
  const std::string node_name_;
  otel::Options telemetry_;
  // Shared with exports that outlive their stop.
  const std::shared_ptr<otel::ExportCounters> exports_ = std::make_shared<otel::ExportCounters>();
  std::atomic<bool> serving_{false};
  std::once_flag stopped_;

  // In the order of dependence: what stands below uses what stands above.
  std::unique_ptr<env::FileSystem> fs_;
  std::unique_ptr<otel::OtlpTracer> tracer_;
  std::vector<std::unique_ptr<Shard>> shards_;
  env::EventLoop reader_{"cairn-reader"};  // old entries for followers
  env::EventLoop files_{"cairn-files"};    // what is small and waits: gossip's and security's files
  env::EventLoop scrapes_{"cairn-metrics"};
  env::EventLoop console_loop_{"cairn-console"};
  std::unique_ptr<security::AuditLog> audit_;
  std::shared_ptr<SecurityFiles> security_;          // shared with what is posted
  std::shared_ptr<cluster::Membership> membership_;  // shared with what is posted
  std::unique_ptr<cluster::Node> node_;
  std::unique_ptr<rpc::GrpcServer> grpc_;
  std::unique_ptr<HealthWatch> health_;
  std::unique_ptr<MetricsEndpoint> metrics_;
  std::unique_ptr<Console> console_;
  std::unique_ptr<otel::MetricPusher> pusher_;
  std::unique_ptr<http::HttpServer> http_;
  std::unique_ptr<rpc::PortMultiplexer> multiplexer_;
  env::EventLoop network_{"cairn-net"};  // last: its thread is gone before what its callbacks use
  std::unique_ptr<consensus::PeerDialer> dialer_;
  TlsAcceptor acceptor_{network_, [this](const std::string& peer, const absl::Status& why) {
                          tls_refused_.Add();
                          rpc_log_.OnConnectionRejected(peer, base::StdView(why.message()));
                        }};
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
cluster::Node& Server::node() { return impl_->node(); }
size_t Server::open_streams() const { return impl_->open_streams(); }
void Server::Reload(const ServerConfig& config) { impl_->Reload(config); }
void Server::Stop() { impl_->Stop(); }

}  // namespace cairn::server
