// What of the daemon's books goes into the state file, and how it comes back.
//
// Changes, tasks, notices and identities come back always; the layers of clients only after a crash, and not
// after an orderly end nor in a new container: then clients expect an empty plan, as from Pebble.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ports/log.h"
#include "supervise/change_book.h"
#include "supervise/identities.h"
#include "supervise/layer_stack.h"
#include "supervise/notice_book.h"
#include "supervisor/state_file.h"

namespace pgherd::supervisor {

struct Books {
    supervise::NoticeBook notices;
    supervise::ChangeBook changes{notices};
    supervise::Identities identities;
    supervise::LayerStack layers;
};

class StateKeeper {
  public:
    // `boot_id`: what is kept under another one is an earlier container's.
    StateKeeper(Books& books, std::string boot_id, Log& log);

    // Fills the books, which hold the layers of files already, with what can be read. Without it nothing is
    // ever kept.
    void restore(std::string path);
    // After that: begins a journal of all that the books hold. When that fails, `save` tries again.
    void begin();
    // Keeps what has changed in the books of changes and notices.
    void save(Instant now);
    void keep_layer(const supervise::Layer& layer);  // of a client; with the next `save`
    Status keep_identities();                        // on disk when this returns well
    void keep_end();                                 // an orderly one; with the next `save`

  private:
    struct Found;
    void sort(const JsonObject& record, Found& found);
    void restore_layers(const std::vector<JsonObject>& records);
    Status rewrite();
    void append_changes();
    void write_everything(const std::function<void(const JsonObject&)>& write) const;

    Books& books_;
    std::string boot_id_;
    Log& log_;
    std::optional<StateFile> file_;
    std::map<std::string, supervise::Layer> client_layers_;
    Instant next_rewrite_{};
    bool ended_ = false;  // in order
};

}  // namespace pgherd::supervisor
