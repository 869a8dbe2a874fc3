// Creating, changing and deleting flows, many at a time.
#pragma once

#include <span>
#include <vector>

#include "batch_view.h"
#include "exchange.h"

namespace nfconntrack {

enum class Change {
  kCreate,  // EEXIST if it is there
  kAdd,     // creates it, or changes the one that is there
  kUpdate,  // ENOENT if it is not there
  kDelete,  // by identity; ENOENT if it is not there or has another id
};
inline constexpr int kChangeCount = 4;

// What the kernel did not do: the entry's place in the batch, and why.
struct Refusal {
  u32 index = 0;
  Failure failure;
};

// Applies `change` to every flow of `batch`, in order, several requests to a send. One that fails
// leaves the others alone and is listed in `refusals`. The result tells of what stopped it
// half-way.
Failure apply(NetlinkSocket& socket, Change change, const BatchView& batch,
              std::vector<Refusal>& refusals);

// IPCTNL_MSG_CT_DELETE without a tuple: empties the whole table of the namespace.
Failure flush(NetlinkSocket& socket);

}  // namespace nfconntrack
