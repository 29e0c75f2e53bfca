#include "http/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "env/event_loop.h"
#include "env/raw_client.h"

namespace cairn::http {
namespace {

using env::RawClient;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// An HttpServer on a port of its own, without the multiplexer.
class HttpServerTest : public testing::Test {
 protected:
  void StartServer(HttpLimits limits = {}) {
    RouteTable routes;
    routes.Add("GET", "/hello", [](const Request& request) {
      return Response{.body = "hello " + request.query + "\n"};
    });
    routes.Add("POST", "/echo",
               [](const Request& request) { return Response{.body = request.body}; });
    routes.Add("GET", "/headers", [](const Request& request) {
      return Response{.body = "",
                      .headers = {{"X-For", request.host}, {"Cache-Control", "no-cache"}}};
    });
    routes.AddSlow("GET", "/slow", [this](const Request& request, RouteTable::Respond respond) {
      slow_address_ = request.address;
      respond_.set_value(std::move(respond));
    });
    routes.AddWaiting("GET", "/wait", [this](const Request&, RouteTable::Respond respond) {
      respond_.set_value(std::move(respond));
      return [this] { abandoned_.set_value(); };
    });
    server_ = std::make_unique<HttpServer>(loop_, std::move(routes), limits);
    auto listener = loop_.Listen("127.0.0.1:0");
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    address_ = listener_->local_address();
    loop_.Post([this] { AcceptNext(); });
  }

  void TearDown() override {
    if (server_ == nullptr) return;
    RunOnLoop([this] { listener_.reset(); });
    server_->Stop();
    RunOnLoop([] {});
  }

  void RunOnLoop(absl::AnyInvocable<void()> task) {
    std::promise<void> done;
    loop_.Post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }

  void AcceptNext() {
    listener_->Accept([this](auto accepted) {
      if (!accepted.ok()) return;
      server_->Serve(*std::move(accepted), "");
      AcceptNext();
    });
  }

  env::EventLoop loop_{"http-test"};
  std::unique_ptr<env::Listener> listener_;
  std::unique_ptr<HttpServer> server_;
  std::string address_;
  std::promise<RouteTable::Respond> respond_;  // of the first request for /slow or /wait
  std::promise<void> abandoned_;               // that for /wait
  std::string slow_address_;
};

TEST_F(HttpServerTest, AnswersSeveralRequestsOnOneConnection) {
  StartServer();
  RawClient client(address_);
  for (int i = 0; i < 3; ++i) {
    client.Send("GET /hello?you HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string answer = client.ReceiveUntil("hello you\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("Content-Length: 10\r\n"));
  }
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  StartServer();
  RawClient client(address_);
  client.Send(
      "GET /hello?1 HTTP/1.1\r\nHost: x\r\n\r\nGET /hello?2 HTTP/1.1\r\nHost: x\r\nConnection: "
      "close\r\n\r\n");
  const std::string answer = client.ReceiveAll();
  const size_t first = answer.find("hello 1");
  ASSERT_NE(first, std::string::npos);
  EXPECT_NE(answer.find("hello 2", first), std::string::npos);
}

TEST_F(HttpServerTest, AnswersFromAnotherThreadLaterAndThenTheNextRequest) {
  StartServer();
  RawClient client(address_);
  client.Send(
      "GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /hello?2 HTTP/1.1\r\nHost: x\r\nConnection: "
      "close\r\n\r\n");
  auto respond = respond_.get_future().get();
  respond({.body = "at last\n"});
  const std::string answer = client.ReceiveAll();
  const size_t first = answer.find("at last");
  ASSERT_NE(first, std::string::npos);
  EXPECT_NE(answer.find("hello 2", first), std::string::npos);
  EXPECT_THAT(slow_address_, StartsWith("127.0.0.1:"));
}

TEST_F(HttpServerTest, DropsAnAnswerThatComesAfterItsConnectionIsClosed) {
  StartServer();
  RawClient client(address_);
  client.Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  auto respond = respond_.get_future().get();
  server_->Stop();
  EXPECT_EQ(client.ReceiveAll(), "");
  respond({.body = "too late\n"});
  RunOnLoop([] {});
}

TEST_F(HttpServerTest, KeepsRequestsThatComeBehindOneThatWaits) {
  StartServer();
  RawClient client(address_);
  client.Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\nGET /hello?2 ");
  auto respond = respond_.get_future().get();
  client.Send("HTTP/1.1\r\nHost: x\r\n\r\n");
  respond({.body = "at last\n"});
  EXPECT_THAT(client.ReceiveUntil("hello 2\n"), HasSubstr("at last\nHTTP/1.1 200"));
  client.Send("GET /hello?3 HTTP/1.1\r\nHost: x\r\n\r\n");
  client.ReceiveUntil("hello 3\n");
}

TEST_F(HttpServerTest, TellsAHandlerThatWaitsWhenItsClientHasGone) {
  StartServer();
  auto client = std::make_unique<RawClient>(address_);
  client->Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  auto respond = respond_.get_future().get();
  client.reset();
  abandoned_.get_future().get();
  respond({.body = "too late\n"});
  RunOnLoop([] {});
}

TEST_F(HttpServerTest, TellsAHandlerThatWaitsWhenItsTimeIsOver) {
  StartServer({.wait_timeout_ns = 20'000'000});
  RawClient client(address_);
  client.Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  abandoned_.get_future().get();
  EXPECT_EQ(client.ReceiveAll(), "");
}

TEST_F(HttpServerTest, TellsAHandlerThatWaitsWhenTheServerStops) {
  StartServer();
  RawClient client(address_);
  client.Send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  respond_.get_future().get();
  server_->Stop();
  abandoned_.get_future().get();
}

TEST_F(HttpServerTest, SendsTheHeadersOfAnAnswer) {
  StartServer();
  RawClient client(address_);
  client.Send("GET /headers HTTP/1.1\r\nHost: node:1\r\nConnection: close\r\n\r\n");
  const std::string answer = client.ReceiveAll();
  EXPECT_THAT(answer, HasSubstr("\r\nX-For: node:1\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nCache-Control: no-cache\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("no-store")));
}

TEST_F(HttpServerTest, ReadsARequestThatComesByteByByte) {
  StartServer();
  RawClient client(address_);
  for (const char byte :
       std::string("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd")) {
    client.Send({&byte, 1});
  }
  EXPECT_THAT(client.ReceiveUntil("abcd"), EndsWith("\r\n\r\nabcd"));
}

TEST_F(HttpServerTest, HeadBringsTheLengthWithoutTheBody) {
  StartServer();
  RawClient client(address_);
  client.Send("HEAD /hello?you HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answer = client.ReceiveAll();
  EXPECT_THAT(answer, HasSubstr("Content-Length: 10\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, ClosesAfterAnHttp10Request) {
  StartServer();
  RawClient client(address_);
  client.Send("GET /hello?old HTTP/1.0\r\n\r\n");
  EXPECT_THAT(client.ReceiveAll(), EndsWith("hello old\n"));
}

TEST_F(HttpServerTest, RefusesUnknownPathsAndMethods) {
  StartServer();
  RawClient client(address_);
  client.Send("GET /nope HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.ReceiveUntil("/hello\n"), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  client.Send("POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  const std::string answer = client.ReceiveAll();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"));
  EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD\r\n"));
}

TEST_F(HttpServerTest, RefusesGarbage) {
  StartServer();
  RawClient client(address_);
  client.Send("GET \x01\x02\x03\r\n\r\n");
  EXPECT_THAT(client.ReceiveAll(), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
}

TEST_F(HttpServerTest, RefusesAHeaderOrBodyOverTheLimit) {
  StartServer();
  RawClient header(address_);
  header.Send("GET /hello HTTP/1.1\r\nHost: x\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n");
  EXPECT_THAT(header.ReceiveUntil("\r\n\r\n"), StartsWith("HTTP/1.1 431 "));
  RawClient body(address_);
  body.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
  EXPECT_THAT(body.ReceiveUntil("\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, ClosesAConnectionWhoseRequestDoesNotComeInTime) {
  StartServer({.request_timeout_ns = 20'000'000});
  RawClient client(address_);
  client.Send("GET /hel");
  EXPECT_EQ(client.ReceiveAll(), "");
}

TEST_F(HttpServerTest, AnswersBusyOverTheConnectionLimit) {
  StartServer({.connections = 1});
  RawClient first(address_);
  first.Send("GET /hello?1 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(first.ReceiveUntil("hello 1"), StartsWith("HTTP/1.1 200"));
  RawClient second(address_);
  EXPECT_THAT(second.ReceiveUntil("\r\n\r\n"), StartsWith("HTTP/1.1 503 "));
}

TEST_F(HttpServerTest, StopClosesIdleConnections) {
  StartServer();
  RawClient client(address_);
  client.Send("GET /hello?1 HTTP/1.1\r\nHost: x\r\n\r\n");
  client.ReceiveUntil("hello 1");
  server_->Stop();
  EXPECT_EQ(client.ReceiveAll(), "");
}

}  // namespace
}  // namespace cairn::http
