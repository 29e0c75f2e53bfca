#include "http/http_server.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <future>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace cairn::http {
namespace {

namespace beast_http = boost::beast::http;

constexpr size_t kReadBytes = 4096;

std::string ToString(boost::beast::string_view text) { return {text.data(), text.size()}; }

Request ToRequest(const beast_http::request<beast_http::string_body>& message) {
  Request request;
  request.method = ToString(message.method_string());
  request.path = ToString(message.target());
  const size_t query = request.path.find('?');
  if (query != std::string::npos) {
    request.query = request.path.substr(query + 1);
    request.path.resize(query);
  }
  request.body = message.body();
  request.host = ToString(message[beast_http::field::host]);
  return request;
}

}  // namespace

// What the sessions share: the routes, the limits, and the list of sessions.
class HttpServer::Shared {
 public:
  Shared(env::Executor& executor_in, RouteTable routes_in, HttpLimits limits_in)
      : executor(executor_in), routes(std::move(routes_in)), limits(limits_in) {}

  env::Executor& executor;
  RouteTable routes;
  const HttpLimits limits;
  bool stopped = false;
  std::unordered_map<Session*, std::shared_ptr<Session>> sessions;
};

// One connection: read a request, answer it, and again.
class HttpServer::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Shared> shared, std::unique_ptr<env::Connection> connection,
          std::string bytes, std::string subject)
      : shared_(std::move(shared)),
        connection_(std::move(connection)),
        subject_(std::move(subject)),
        unparsed_(std::move(bytes)) {}

  void Start() {
    if (shared_->sessions.size() > shared_->limits.connections) {
      return Answer({.status = 503, .body = "Too many connections.\n"}, false, false);
    }
    NextRequest();
  }

  void Close() {
    const auto self = shared_from_this();
    shared_->executor.Cancel(timer_);
    connection_.reset();  // completes what is pending with CANCELLED
    shared_->sessions.erase(this);
    if (auto abandon = std::exchange(abandon_, nullptr)) abandon();
  }

 private:
  // What the bytes that arrive are for.
  enum class State {
    kRequest,    // they are parsed
    kWaiting,    // they are kept; read all the same, to see when the client goes
    kAnswering,  // they are kept
  };

  void NextRequest() {
    state_ = State::kRequest;
    parser_.emplace();
    parser_->header_limit(shared_->limits.header_bytes);
    parser_->body_limit(shared_->limits.body_bytes);
    parser_->eager(true);
    StartTimer(shared_->limits.request_timeout_ns);
    Parse();
  }

  void StartTimer(int64_t delay_ns) {
    shared_->executor.Cancel(timer_);
    timer_ = shared_->executor.PostAfter(delay_ns, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Close();
    });
  }

  void Parse() {
    while (!unparsed_.empty() && !parser_->is_done()) {
      boost::beast::error_code error;
      const size_t used = parser_->put(boost::asio::buffer(unparsed_), error);
      unparsed_.erase(0, used);
      if (error == beast_http::error::need_more) {
        // A header that never ends would otherwise be collected here.
        if (unparsed_.size() > shared_->limits.header_bytes)
          error = beast_http::error::header_limit;
        else
          break;
      }
      if (error) return Refuse(error);
    }
    if (parser_->is_done()) return Dispatch();
    Read();
  }

  void Read() {
    if (std::exchange(reading_, true)) return;
    connection_->Read(buffer_, [self = shared_from_this()](absl::StatusOr<size_t> read) {
      self->reading_ = false;
      if (self->connection_ == nullptr) return;
      self->OnRead(read.ok() ? *read : 0);
    });
  }

  void OnRead(size_t bytes) {
    if (bytes == 0) {
      // An answer that is on its way may still arrive; the next read finds the end again.
      if (state_ != State::kAnswering) Close();
      return;
    }
    unparsed_.append(buffer_.data(), bytes);
    if (state_ == State::kRequest) return Parse();
    // Requests behind the one that waits, up to a limit: a client that sends more is not missed
    // before its time is over.
    if (state_ == State::kWaiting && unparsed_.size() < shared_->limits.header_bytes) Read();
  }

  void Refuse(const boost::beast::error_code& error) {
    Response response{.status = 400, .body = "Bad request: " + error.message() + ".\n"};
    if (error == beast_http::error::header_limit) response.status = 431;
    if (error == beast_http::error::body_limit) response.status = 413;
    Answer(response, false, false);
  }

  void Dispatch() {
    const auto& message = parser_->get();
    Request request = ToRequest(message);
    request.subject = subject_;
    request.address = connection_->peer_address();
    const bool head_only = request.method == "HEAD";
    RouteTable::Outcome outcome = shared_->routes.Dispatch(request);
    if (outcome.waiting != nullptr) {
      state_ = State::kWaiting;
      StartTimer(shared_->limits.wait_timeout_ns);
      abandon_ = (*outcome.waiting)(request, AnswerLater(head_only));
      return Read();
    }
    // The request's timer goes on: it bounds the wait.
    if (outcome.slow != nullptr) {
      state_ = State::kAnswering;
      return (*outcome.slow)(request, AnswerLater(head_only));
    }
    Answer(outcome.response, message.keep_alive(), head_only);
  }

  RouteTable::Respond AnswerLater(bool head_only) {
    return [weak = weak_from_this(), shared = shared_, head_only](Response response) {
      shared->executor.Post([weak, head_only, response = std::move(response)] {
        const auto self = weak.lock();
        if (self == nullptr || self->connection_ == nullptr) return;
        self->abandon_ = nullptr;
        self->Answer(response, self->parser_->get().keep_alive(), head_only);
      });
    };
  }

  void Answer(const Response& response, bool keep_alive, bool head_only) {
    state_ = State::kAnswering;
    StartTimer(shared_->limits.write_timeout_ns);
    connection_->Write(Serialize(response, keep_alive, head_only),
                       [self = shared_from_this(), keep_alive](const absl::Status& written) {
                         if (self->connection_ == nullptr) return;
                         if (!written.ok() || !keep_alive) return self->Close();
                         self->NextRequest();
                       });
  }

  const std::shared_ptr<Shared> shared_;
  std::unique_ptr<env::Connection> connection_;
  const std::string subject_;
  std::string unparsed_;
  std::array<char, kReadBytes> buffer_;
  std::optional<beast_http::request_parser<beast_http::string_body>> parser_;
  env::Executor::TimerId timer_ = 0;
  State state_ = State::kRequest;
  bool reading_ = false;
  RouteTable::Abandon abandon_;  // while somebody waits for what it stands for
};

HttpServer::HttpServer(env::Executor& executor, RouteTable routes, HttpLimits limits)
    : shared_(std::make_shared<Shared>(executor, std::move(routes), limits)) {}

HttpServer::~HttpServer() = default;

void HttpServer::Serve(std::unique_ptr<env::Connection> connection, std::string first_bytes,
                       std::string subject) {
  if (shared_->stopped) return;
  auto session = std::make_shared<Session>(shared_, std::move(connection), std::move(first_bytes),
                                           std::move(subject));
  shared_->sessions.emplace(session.get(), session);
  session->Start();
}

void HttpServer::Stop() {
  std::promise<void> done;
  shared_->executor.Post([this, &done] {
    shared_->stopped = true;
    while (!shared_->sessions.empty()) shared_->sessions.begin()->second->Close();
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace cairn::http
