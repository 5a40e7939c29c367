// A disk that can be full, fail to sync, or sync slowly: SQLite's own file system with three taps, for the
// whole program.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <new>
#include <thread>

#include <sqlite3.h>

namespace pgherd {

class FaultyDisk {
  public:
    // Heals when it is destroyed.
    FaultyDisk() {
        static std::once_flag once;
        std::call_once(once, [] { install(); });
    }
    ~FaultyDisk() {
        taps().full = false;
        taps().sync_fails = false;
        taps().sync_takes_ms = 0;
    }
    FaultyDisk(const FaultyDisk&) = delete;
    FaultyDisk& operator=(const FaultyDisk&) = delete;

    void full(bool on) { taps().full = on; }
    void sync_fails(bool on) { taps().sync_fails = on; }
    void sync_takes(std::chrono::milliseconds time) { taps().sync_takes_ms = static_cast<int>(time.count()); }

  private:
    struct Taps {
        std::atomic<bool> full{false};
        std::atomic<bool> sync_fails{false};
        std::atomic<int> sync_takes_ms{0};
    };
    // The real file lies behind it in the same memory.
    struct File {
        sqlite3_file base;
        sqlite3_file* real;
    };

    static Taps& taps() {
        static Taps taps;
        return taps;
    }
    static sqlite3_vfs*& real_vfs() {
        static sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
        return vfs;
    }
    static constexpr std::size_t kReal = (sizeof(File) + alignof(std::max_align_t) - 1) /
                                         alignof(std::max_align_t) * alignof(std::max_align_t);
    static sqlite3_file* real(sqlite3_file* file) {
        return static_cast<File*>(static_cast<void*>(file))->real;
    }

    static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
        if (taps().full) return SQLITE_FULL;
        return real(file)->pMethods->xWrite(real(file), data, size, at);
    }
    static int sync(sqlite3_file* file, int flags) {
        if (const int ms = taps().sync_takes_ms) std::this_thread::sleep_for(std::chrono::milliseconds(ms));
        if (taps().sync_fails) return SQLITE_IOERR_FSYNC;
        return real(file)->pMethods->xSync(real(file), flags);
    }

    static const sqlite3_io_methods& methods() {
        static const sqlite3_io_methods m = [] {
            sqlite3_io_methods io{};
            io.iVersion = 2;
            io.xClose = [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); };
            io.xRead = [](sqlite3_file* f, void* d, int n, sqlite3_int64 at) {
                return real(f)->pMethods->xRead(real(f), d, n, at);
            };
            io.xWrite = &write;
            io.xTruncate = [](sqlite3_file* f, sqlite3_int64 n) {
                return real(f)->pMethods->xTruncate(real(f), n);
            };
            io.xSync = &sync;
            io.xFileSize = [](sqlite3_file* f, sqlite3_int64* n) {
                return real(f)->pMethods->xFileSize(real(f), n);
            };
            io.xLock = [](sqlite3_file* f, int lock) { return real(f)->pMethods->xLock(real(f), lock); };
            io.xUnlock = [](sqlite3_file* f, int lock) { return real(f)->pMethods->xUnlock(real(f), lock); };
            io.xCheckReservedLock = [](sqlite3_file* f, int* r) {
                return real(f)->pMethods->xCheckReservedLock(real(f), r);
            };
            io.xFileControl = [](sqlite3_file* f, int op, void* p) {
                return real(f)->pMethods->xFileControl(real(f), op, p);
            };
            io.xSectorSize = [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); };
            io.xDeviceCharacteristics = [](sqlite3_file* f) {
                return real(f)->pMethods->xDeviceCharacteristics(real(f));
            };
            io.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** p) {
                return real(f)->pMethods->xShmMap(real(f), page, size, extend, p);
            };
            io.xShmLock = [](sqlite3_file* f, int at, int n, int flags) {
                return real(f)->pMethods->xShmLock(real(f), at, n, flags);
            };
            io.xShmBarrier = [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); };
            io.xShmUnmap = [](sqlite3_file* f, int del) {
                return real(f)->pMethods->xShmUnmap(real(f), del);
            };
            return io;
        }();
        return m;
    }

    static int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
        auto* mine = new (static_cast<void*>(file)) File{};
        mine->real = static_cast<sqlite3_file*>(
            static_cast<void*>(static_cast<std::byte*>(static_cast<void*>(file)) + kReal));
        const int code = real_vfs()->xOpen(real_vfs(), name, mine->real, flags, out);
        mine->base.pMethods = mine->real->pMethods != nullptr ? &methods() : nullptr;
        return code;
    }

    static void install() {
        static sqlite3_vfs vfs = *real_vfs();
        vfs.zName = "faulty";
        vfs.szOsFile = static_cast<int>(kReal) + real_vfs()->szOsFile;
        vfs.pNext = nullptr;
        vfs.xOpen = &open;
        sqlite3_vfs_register(&vfs, 1);
    }
};

}  // namespace pgherd
