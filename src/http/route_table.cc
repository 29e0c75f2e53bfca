#include "http/route_table.h"

#include <utility>

namespace cairn::http {

void RouteTable::Add(std::string_view method, std::string_view path, Handler handler) {
  routes_[std::string(path)][std::string(method)].handler = std::move(handler);
}

void RouteTable::AddSlow(std::string_view method, std::string_view path, SlowHandler handler) {
  routes_[std::string(path)][std::string(method)].slow = std::move(handler);
}

void RouteTable::AddWaiting(std::string_view method, std::string_view path,
                            WaitingHandler handler) {
  routes_[std::string(path)][std::string(method)].waiting = std::move(handler);
}

RouteTable::Outcome RouteTable::Dispatch(const Request& request) {
  const auto route = routes_.find(request.path);
  if (route == routes_.end()) {
    std::string known = "Not found. There is:\n";
    for (const auto& [path, methods] : routes_) known += path + "\n";
    return {.response = {.status = 404, .body = std::move(known)}};
  }
  const std::string_view method =
      request.method == "HEAD" ? "GET" : std::string_view(request.method);
  const auto found = route->second.find(method);
  if (found != route->second.end()) {
    auto& [handler, slow, waiting] = found->second;
    if (slow) return {.response = {}, .slow = &slow};
    if (waiting) return {.response = {}, .waiting = &waiting};
    return {.response = handler(request)};
  }
  std::string allow;
  for (const auto& [name, unused] : route->second) {
    if (!allow.empty()) allow += ", ";
    allow += name == "GET" ? "GET, HEAD" : name;
  }
  return {.response = {.status = 405,
                       .body = "Method not allowed. Use " + allow + ".\n",
                       .headers = {{"Allow", allow}}}};
}

}  // namespace cairn::http
