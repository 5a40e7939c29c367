#include "eventloop/file_events.h"

#include <array>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <sys/inotify.h>

namespace pgherd {

struct FileEvents::Reader : std::enable_shared_from_this<Reader> {
    Reader(boost::asio::io_context& context, Then function)
        : descriptor(context), changed(std::move(function)) {}

    void read() {
        descriptor.async_read_some(boost::asio::buffer(events),
                                   [self = shared_from_this()](boost::system::error_code error, std::size_t) {
                                       if (error || self->closed) return;
                                       self->changed();
                                       if (!self->closed) self->read();
                                   });
    }

    boost::asio::posix::stream_descriptor descriptor;
    Then changed;
    bool closed = false;
    alignas(inotify_event) std::array<char, 4096> events{};
};

FileEvents::FileEvents(EventLoop& loop, const std::string& path, Watched what, Then changed)
    : reader_(std::make_shared<Reader>(loop.context(), std::move(changed))) {
    const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) return;
    reader_->descriptor.assign(fd);
    inotify_add_watch(fd, path.c_str(),
                      what == Watched::file ? IN_ATTRIB | IN_MOVE_SELF
                                            : IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_CLOSE_WRITE);
    reader_->read();
}

FileEvents::~FileEvents() {
    reader_->closed = true;
    boost::system::error_code ignored;
    reader_->descriptor.close(ignored);
}

}  // namespace pgherd
