// What a decision costs: 1,000 rules with roles, cached and not, a scan of all rules, and loading
// 10,000 rules.
//
//   build/dev/bin/casbin_bench
#include <benchmark/benchmark.h>

#include <string>

#include "base/check.h"
#include "base/strings.h"
#include "security/casbin/enforcer.h"

namespace cairn::security::casbin {
namespace {

std::string RolesModel(std::string_view matcher) {
  return base::StrCat(
      "[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act\n"
      "[role_definition]\ng = _, _\n[policy_effect]\ne = some(where (p.eft == allow))\n"
      "[matchers]\nm = ",
      matcher, "\n");
}
constexpr std::string_view kByRole = "g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act";
constexpr std::string_view kByPattern = "keyMatch2(r.obj, p.obj) && g(r.sub, p.sub)";

// Ten users for each of rules / 10 roles; each role may do ten things.
std::string RolesPolicy(int rules) {
  std::string text;
  for (int i = 0; i < rules; ++i) {
    text += base::StrCat("p, role", i / 10, ", /topic", i % 100, "/:id, produce\n");
    text += base::StrCat("g, user", i, ", role", i / 10, "\n");
  }
  return text;
}

std::shared_ptr<const Enforcer> Load(std::string_view matcher, int rules, size_t cached) {
  auto model = Model::Parse(RolesModel(matcher));
  CAIRN_CHECK(model.ok(), "the model of the benchmark is one");
  auto enforcer =
      Enforcer::Create(*std::move(model), RolesPolicy(rules), {.cached_decisions = cached});
  CAIRN_CHECK(enforcer.ok(), "the policy of the benchmark is one");
  return *enforcer;
}

void Decide(benchmark::State& state, std::string_view matcher, size_t cached,
            std::string_view object) {
  const auto enforcer = Load(matcher, 1000, cached);
  for (auto _ : state) {
    const auto decision = enforcer->Enforce({"user777", object, "produce"});
    benchmark::DoNotOptimize(decision->allowed);
  }
}

void Cached(benchmark::State& state) { Decide(state, kByRole, 8192, "/topic77/:id"); }
void Uncached(benchmark::State& state) { Decide(state, kByRole, 0, "/topic77/:id"); }
void UncachedDenied(benchmark::State& state) { Decide(state, kByRole, 0, "/topic1/:id"); }
void UncachedScan(benchmark::State& state) { Decide(state, kByPattern, 0, "/other/7"); }
void LoadPolicy(benchmark::State& state) {
  const auto model = *Model::Parse(RolesModel(kByRole));
  const std::string policy = RolesPolicy(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Enforcer::Create(model, policy).ok());
}
void LoadPatterns(benchmark::State& state) {
  const auto model = *Model::Parse(RolesModel(kByPattern));
  const std::string policy = RolesPolicy(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Enforcer::Create(model, policy).ok());
}

BENCHMARK(Cached);
BENCHMARK(Cached)->Threads(2);
BENCHMARK(Uncached);
BENCHMARK(UncachedDenied);
BENCHMARK(UncachedScan);
BENCHMARK(LoadPolicy)->Arg(10'000)->Unit(benchmark::kMillisecond);
BENCHMARK(LoadPatterns)->Arg(10'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cairn::security::casbin

BENCHMARK_MAIN();
