// What else happens when a CAIRN_CHECK fails.
#pragma once

namespace cairn::base {

// Called before the process ends, on the thread whose check failed, with whatever locks that holds;
// nullptr for nothing. For logs that have lines to write.
void SetCheckFailedHook(void (*hook)());

}  // namespace cairn::base
