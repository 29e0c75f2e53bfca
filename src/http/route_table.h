// RouteTable: which handler answers which path.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "http/http_message.h"

namespace cairn::http {

// Filled before the server starts; then used from the server's loop only.
class RouteTable {
 public:
  // Runs on the loop and must not block.
  using Handler = absl::AnyInvocable<Response(const Request&)>;

  // Called once, on any thread, at any time: a late answer is dropped with its connection.
  using Respond = absl::AnyInvocable<void(Response)>;
  // For answers that take a while. Runs on the loop and must not block.
  using SlowHandler = absl::AnyInvocable<void(const Request&, Respond)>;

  // For answers that wait until something happens. As a SlowHandler; what it returns is called on
  // the loop when nobody waits for the answer any more: the client has gone, its time is over, or
  // the server stops.
  using Abandon = absl::AnyInvocable<void()>;
  using WaitingHandler = absl::AnyInvocable<Abandon(const Request&, Respond)>;

  // `method` is "GET" or "POST"; a GET route also answers HEAD.
  void Add(std::string_view method, std::string_view path, Handler handler);
  void AddSlow(std::string_view method, std::string_view path, SlowHandler handler);
  void AddWaiting(std::string_view method, std::string_view path, WaitingHandler handler);

  struct Outcome {
    Response response;
    // One of them has the answer, instead of `response`.
    SlowHandler* slow = nullptr;
    WaitingHandler* waiting = nullptr;
  };

  // The handler's answer, or the handler that has it; 404 for an unknown path, 405 for another
  // method than the path has.
  Outcome Dispatch(const Request& request);

 private:
  struct Route {
    Handler handler;
    SlowHandler slow;
    WaitingHandler waiting;
  };
  std::map<std::string, std::map<std::string, Route, std::less<>>, std::less<>> routes_;
};

}  // namespace cairn::http
