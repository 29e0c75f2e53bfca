// Random models, policies and requests, the same for the same seed. What node-casbin and ours decide differently on
// purpose (src/security/README.md) is not generated.

// mulberry32
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const kSubjects = ["alice", "bob", "admin", "root", "reader", "1", "20", ""];
const kActions = ["read", "write", "produce", "GET"];
const kPaths = ["/a/b", "/a/c", "/b/1", "/a/b/c", "/x.y/7", "data1", "data2", "/a/1/b/1", "/a/1/b/2", "/c", "/a/b?q=1"];
const kEffects = [
  "some(where (p.eft == allow))",
  "!some(where (p.eft == deny))",
  "some(where (p.eft == allow)) && !some(where (p.eft == deny))",
  "priority(p.eft) || deny",
];
const kSubjectPriority = "subjectPriority(p.eft) || deny";

// How objects are compared: the values of a policy and of requests that make it interesting.
const kObjects = {
  equal: { policy: kPaths, request: kPaths },
  keyMatch: { policy: ["/a/*", "*", "/a/b", "/b*", "data*", "/a*c"], request: kPaths },
  keyMatch2: {
    policy: ["/a/:id", "/a/:id/b/:x", "/a/*", "/:any", "*", "/a/b", "/:a/*", "/x.y/:id", "/a/:id/*", "data1", "/(a)/:id"],
    request: kPaths,
  },
  keyMatch3: {
    policy: ["/a/{id}", "/a/{id}/b/{x}", "/a/*", "/{any}", "/a/b", "/{a}/*", "/x.y/{id}", "/a/{id}-{x}", "data1"],
    request: [...kPaths, "/a/1-2"],
  },
  keyMatch4: { policy: ["/a/{id}", "/a/{id}/b/{id}", "/a/{id}/b/{x}", "/a/*", "/{a}", "data1"], request: kPaths },
  keyMatch5: { policy: ["/a/{id}", "/a/*", "/a/b", "/{a}/*", "/a/{id}/b/{x}"], request: [...kPaths, "/a/b/c?x=/d"] },
  regexMatch: {
    policy: ["^/a/.*", "(data1)|(data2)", "data[0-9]", "[a-c]+", ".*", "\\d+$", "a{1}", "^/a/[^/]+$", "b", "/x\\.y"],
    request: kPaths,
  },
  globMatch: {
    policy: ["/a/*", "/a/**", "/*/b", "/a/?", "/[ab]/*", '"/{a,b}/*"', "data?", "/**/c", "/a/[!b]", "data1", "/x.y/*"],
    request: kPaths.filter((path) => path !== "/c"),
  },
  ipMatch: {
    policy: ["10.0.0.0/8", "192.168.1.1", "192.168.0.0/16", "0.0.0.0/0", "10.1.2.3/32"],
    request: ["10.1.2.3", "192.168.1.1", "192.168.77.1", "8.8.8.8", "nonsense", ""],
  },
};

const kRules = [
  "r.sub.Age > 18",
  "r.sub.Age >= 18 && r.sub.Age < 60",
  'r.sub.Name == "alice"',
  "r.sub.Name in ('alice', 'bob')",
  "r.sub.Admin",
  "!r.sub.Admin || r.sub.Age == 20",
  "r.sub.Age * 2 + 1 > 40 - r.sub.Age % 7",
  "r.sub.Where.City != 'x'",
  "keyMatch(r.sub.Name, 'a*')",
  "true",
];

export class Generator {
  constructor(seed) {
    this.next = random(seed);
  }
  chance(of) {
    return this.next() < of;
  }
  below(count) {
    return Math.floor(this.next() * count);
  }
  pick(list) {
    return list[this.below(list.length)];
  }
  times(most, make) {
    return Array.from({ length: this.below(most + 1) }, make);
  }

  // One question: a model, a policy and `count` requests.
  question(count) {
    return this.chance(0.15) ? this.attributes(count) : this.rules(count);
  }

  // Access by attributes: rules that eval() runs on objects.
  attributes(count) {
    const withEffect = this.chance(0.5);
    const model = `[request_definition]\nr = sub, obj, act\n[policy_definition]\np = rule, obj, act${withEffect ? ", eft" : ""}
[policy_effect]\ne = ${this.pick(kEffects)}\n[matchers]\nm = eval(p.rule) && r.obj == p.obj && r.act == p.act\n`;
    const rows = [this.attributeRow(withEffect), ...this.times(5, () => this.attributeRow(withEffect))];
    const requests = Array.from({ length: count }, () => [this.person(), this.pick(["data1", "data2"]), this.pick(["read", "write"])]);
    return { model, policy: rows.join("\n"), requests };
  }
  attributeRow(withEffect) {
    const effect = withEffect ? `, ${this.pick(["allow", "deny", "other"])}` : "";
    return `p, ${this.pick(kRules)}, ${this.pick(["data1", "data2"])}, ${this.pick(["read", "write"])}${effect}`;
  }
  person() {
    const person = {
      Name: this.pick(["alice", "bob", "carol"]),
      Age: this.pick([5, 18, 20, 59.5, 60, "20", -1]),
      Admin: this.chance(0.5),
      Where: { City: this.pick(["x", "y"]) },
    };
    if (this.chance(0.1)) delete person[this.pick(Object.keys(person))];
    return person;
  }

  // Access by rules, with roles, domains, patterns, priorities and every effect.
  rules(count) {
    const bodies = [this.body("")];
    if (!bodies[0].domains && this.chance(0.12)) bodies.push(this.body("2"));
    const roles = this.chance(0.6) || bodies.some((body) => body.usesRoles);
    const domains = bodies[0].domains;
    const section = (name, lines) => `[${name}]\n${lines.join("\n")}\n`;
    const model = [
      section("request_definition", bodies.map((body) => body.request)),
      section("policy_definition", bodies.map((body) => body.policy)),
      roles ? section("role_definition", [domains ? "g = _, _, _" : "g = _, _"]) : "",
      section("policy_effect", bodies.map((body) => body.effect)),
      section("matchers", bodies.map((body) => body.matcher)),
    ].join("\n");
    const rows = ["# a policy"];
    for (const body of bodies) rows.push(...body.rows);
    if (roles) rows.push(...(bodies[0].hierarchy ?? this.links(domains)));
    if (this.chance(0.3)) rows.sort(() => this.next() - 0.5);
    const of = bodies[this.below(bodies.length)];
    const number = bodies.indexOf(of) + 1;
    const context = number === 1 && this.chance(0.7) ? undefined : [number, number, number, number];
    return { model, policy: rows.join("\n"), context, requests: Array.from({ length: count }, () => this.request(of)) };
  }

  links(domains) {
    const names = this.chance(0.1) ? Array.from({ length: 14 }, (_, i) => `n${i}`) : [...kSubjects.slice(0, 5), "/a/b", "data1"];
    if (names[0] === "n0") {
      const chain = names.slice(1).map((name, i) => [names[i], name]);
      chain.unshift(["alice", "n0"]);
      chain.push([this.pick(names.slice(8)), "admin"]);
      return chain.map((link) => `g, ${link.join(", ")}${domains ? ", d1" : ""}`);
    }
    return this.times(6, () => `g, ${this.pick(names)}, ${this.pick(names)}${domains ? `, ${this.pick(["d1", "d2"])}` : ""}`);
  }

  body(suffix, objects = this.pick(Object.keys(kObjects))) {
    const [r, p] = [`r${suffix}`, `p${suffix}`];
    const byHierarchy = suffix === "" && this.chance(0.08);
    const domains = suffix === "" && !byHierarchy && this.chance(0.25);
    const hasEffect = byHierarchy || this.chance(0.7);
    const hasPriority = !byHierarchy && this.chance(0.2);
    const hierarchy = byHierarchy ? ["g, admin, root", "g, reader, admin", "g, alice, reader", "g, bob, admin"] : undefined;
    const columns = ["sub", ...(domains ? ["dom"] : []), "obj", "act"];
    const requestColumns = [...columns];
    if (hasPriority) columns.unshift("priority");
    if (hasEffect) columns.push("eft");
    const subjects = byHierarchy ? ["alice", "bob", "admin", "root", "reader"] : kSubjects;
    const row = () => {
      const values = columns.map((column) => {
        if (column === "priority") return this.below(20);
        if (column === "sub") return this.pick(subjects);
        if (column === "dom") return this.pick(["d1", "d2"]);
        if (column === "obj") return this.pick(kObjects[objects].policy);
        if (column === "act") return this.pick(kActions);
        return this.pick(["allow", "allow", "deny", "other"]);
      });
      if (hasEffect && this.chance(0.05)) values.pop();
      return `${this.chance(0.1) ? "  " : ""}${p}${this.pick([", ", ",", " , "])}${values.join(", ")}`;
    };
    const usesRoles = byHierarchy || domains || this.chance(0.4);
    const roles = domains ? `g(${r}.sub, ${p}.sub, ${r}.dom)` : `g(${r}.sub, ${p}.sub)`;
    const object = objects === "equal" ? `${r}.obj == ${p}.obj` : `${objects}(${r}.obj, ${p}.obj)`;
    const typical = [
      usesRoles ? roles : `${r}.sub == ${p}.sub`,
      ...(domains ? [`${r}.dom == ${p}.dom`] : []),
      object,
      `${r}.act == ${p}.act`,
    ];
    if (this.chance(0.3)) typical.sort(() => this.next() - 0.5);
    let matcher = typical.join(" && ");
    if (this.chance(0.15)) matcher += ` || ${r}.sub == "root"`;
    if (this.chance(0.35)) matcher = this.condition(r, p, 3, usesRoles ? roles : undefined, object);
    // No blank before other parentheses: node-casbin takes ` (a, b)` for a list wherever it stands.
    matcher = matcher.replace(/(?<! in) \(/g, "(");
    return {
      objects, domains, usesRoles, hierarchy, requestColumns,
      request: `${r} = ${requestColumns.join(", ")}`,
      policy: `${p} = ${columns.join(", ")}`,
      effect: `e${suffix} = ${byHierarchy ? kSubjectPriority : this.pick(kEffects)}`,
      matcher: `m${suffix} = ${matcher}`,
      rows: this.times(8, row),
    };
  }

  condition(r, p, depth, roles, object) {
    const inner = () => this.condition(r, p, depth - 1, roles, object);
    const which = depth === 0 ? 5 + this.below(6) : this.below(11);
    switch (which) {
      case 0:
      case 1:
        return `${inner()} && ${inner()}`;
      case 2:
      case 3:
        return `${inner()} || ${inner()}`;
      case 4:
        return `!(${inner()})`;
      case 5:
        return `(${this.text(r, p)} in ("alice", 'data1', "read", "1"))`;
      case 6:
        return roles ?? object;
      case 7:
        return object;
      case 8:
        return `${this.number(r, p, 2)} ${this.pick(["==", "!=", "<", "<=", ">", ">="])} ${this.number(r, p, 1)}`;
      default:
        return `${this.text(r, p)} ${this.pick(["==", "==", "!=", "<", ">="])} ${this.text(r, p)}`;
    }
  }
  text(r, p) {
    const column = this.pick(["sub", "obj", "act"]);
    switch (this.below(7)) {
      case 0:
      case 1:
        return `${r}.${column}`;
      case 2:
      case 3:
        return `${p}.${column}`;
      case 4:
        return `(${r}.sub + ${this.pick(["'x'", "1", `${p}.act`, "true"])})`;
      case 5:
        return `keyGet(${r}.obj, "/a/*")`;
      default:
        return this.pick(['"alice"', "'read'", '"data1"', '"1"', "true", "''"]);
    }
  }
  number(r, p, depth) {
    if (depth > 0 && this.chance(0.6)) {
      const [left, right] = [this.number(r, p, depth - 1), this.number(r, p, depth - 1)];
      return `(${left} ${this.pick(["+", "-", "*", "/", "%"])} ${right})`;
    }
    return this.pick(["0", "1", "2.5", "1e3", ".5", `${r}.sub`, `${p}.sub`, "-3", "-(1 + 2)"]);
  }

  request(body) {
    const values = body.requestColumns.map((column) => {
      if (column === "sub") return this.pick(kSubjects);
      if (column === "dom") return this.pick(["d1", "d2", "d3"]);
      if (column === "obj") return this.pick(kObjects[body.objects].request);
      return this.pick(kActions);
    });
    return values;
  }
}
