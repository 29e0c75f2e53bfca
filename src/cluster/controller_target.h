// Who votes in group 0. All other nodes follow it as standbys, because they need the metadata.
#pragma once

#include "cluster/metadata.h"
#include "cluster/next_step.h"
#include "cluster/observed.h"

namespace cairn::cluster {

// The voters: an odd number, at most the setting and what there are nodes; those that vote already
// as far as possible; on different racks. A silent voter is replaced only when it is dead or
// draining and another can take its place. Pure; the leader of group 0 feeds it to NextStep.
GroupTarget ControllerTarget(const Metadata& metadata, const Observed& observed);

}  // namespace cairn::cluster
