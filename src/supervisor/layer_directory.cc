#include "supervisor/layer_directory.h"

#include <filesystem>

#include <fmt/format.h>

#include "base/files.h"
#include "supervise/layer_stack.h"
#include "supervise/layer_yaml.h"

namespace pgherd::supervisor {

namespace fs = std::filesystem;
using namespace supervise;

namespace {

constexpr int kLevel = 1000;

Result<std::vector<NamedLayerFile>> list(const std::string& path, bool nested) {
    std::vector<DirectoryEntry> entries;
    std::error_code error;
    for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error))
        entries.push_back({at->path().filename().string(), fs::is_directory(at->path(), error)});
    if (error) return fail(fmt::format("cannot read layers directory {}: {}", path, error.message()));
    auto files = layer_files(entries, nested);
    if (!files)
        return std::unexpected(
            with_context(files.error(), fmt::format("cannot read layers directory {}", path)));
    return files;
}

Status read_layer(const std::string& path, int order, const std::string& label, std::vector<Layer>& layers) {
    PGHERD_TRY(const std::string text, read_file(path));
    auto layer = parse_layer(order, label, text);
    if (!layer) return std::unexpected(with_context(layer.error(), path));
    layers.push_back(std::move(*layer));
    return {};
}

}  // namespace

Result<std::vector<Layer>> read_layer_directory(const std::string& path) {
    std::vector<Layer> layers;
    std::error_code error;
    if (!fs::exists(path, error)) return layers;
    PGHERD_TRY(const std::vector<NamedLayerFile> files, list(path, false));
    for (const NamedLayerFile& file : files) {
        const std::string name = path + "/" + file.name;
        if (!file.parts.directory) {
            PGHERD_CHECK(read_layer(name, file.parts.order * kLevel, file.parts.label, layers));
            continue;
        }
        PGHERD_TRY(const std::vector<NamedLayerFile> inner, list(name, true));
        for (const NamedLayerFile& nested : inner)
            PGHERD_CHECK(read_layer(name + "/" + nested.name, file.parts.order * kLevel + nested.parts.order,
                                    file.parts.label + "/" + nested.parts.label, layers));
    }
    return layers;
}

Status prepare_directory(const std::string& path, bool create, const std::string& copy_once) {
    std::error_code error;
    if (create) {
        fs::create_directories(path + "/layers", error);
        if (error) return fail(fmt::format("cannot create directory {}: {}", path, error.message()));
    }
    const fs::file_status there = fs::status(path, error);
    if (there.type() == fs::file_type::not_found)
        return fail(
            ErrorCode::not_found,
            fmt::format("directory {} does not exist; --create-dirs makes it, and $PEBBLE names another",
                        path));
    if (there.type() == fs::file_type::none)
        return fail(fmt::format("cannot use directory {}: {}", path, error.message()));
    if (there.type() != fs::file_type::directory)
        return fail(ErrorCode::invalid, fmt::format("cannot use {}: it is no directory", path));
    if (copy_once.empty()) return {};
    const std::string layers = path + "/layers";
    if (fs::exists(layers, error) && !fs::is_empty(layers, error)) return {};
    if (!fs::is_directory(copy_once, error)) return {};
    fs::copy(copy_once, path, fs::copy_options::recursive | fs::copy_options::skip_existing, error);
    if (error) return fail(fmt::format("cannot copy {} to {}: {}", copy_once, path, error.message()));
    return {};
}

}  // namespace pgherd::supervisor
