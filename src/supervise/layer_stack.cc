#include "supervise/layer_stack.h"

#include <algorithm>

#include <fmt/format.h>

#include "supervise/command.h"
#include "supervise/go_text.h"
#include "supervise/plan.h"

namespace pgherd::supervise {
namespace {

constexpr std::string_view kReserved = "pebble-";
constexpr std::string_view kArgumentsLabel = "pebble-service-args";
constexpr int kLevel = 1000;  // a root layer's order is a multiple; those of its sub-directory lie between

std::unexpected<Error> invalid(std::string text) {
    return fail(ErrorCode::invalid, std::move(text));
}

Status check_label(const Layer& layer) {
    if (layer.label.empty()) return invalid("label must be set");
    if (layer.label.starts_with(kReserved))
        return invalid(fmt::format("cannot use reserved label prefix {}", go_quote(kReserved)));
    return {};
}

// "sub" of "sub/name" when there are layers of that sub-directory.
const Layer* last_of_directory(const std::vector<Layer>& layers, std::string_view label) {
    const std::size_t slash = label.find('/');
    if (slash == std::string_view::npos) return nullptr;
    const Layer* last = nullptr;
    for (const Layer& layer : layers)
        if (std::string_view(layer.label).starts_with(label.substr(0, slash + 1))) last = &layer;
    return last;
}

Status insert(std::vector<Layer>& layers, Layer layer, bool inner) {
    const Layer* last = last_of_directory(layers, layer.label);
    if (last && last != &layers.back() && !inner)
        return fail(ErrorCode::failed, "cannot insert sub-directory layer without 'inner' attribute set");
    if (last) {
        if ((last->order + 1) % kLevel == 0)
            return fail(ErrorCode::failed,
                        fmt::format("too many layers in sub-directory of {}", go_quote(last->label)));
        layer.order = last->order + 1;
        layers.insert(layers.begin() + (last - layers.data()) + 1, std::move(layer));
        return {};
    }
    const int top = layers.empty() ? 0 : layers.back().order;
    layer.order = (top / kLevel + 1) * kLevel;
    // The first of a new sub-directory: its successors come after it.
    if (layer.label.find('/') != std::string::npos) layer.order += 1;
    layers.push_back(std::move(layer));
    return {};
}

// ([0-9]{3})-([a-z](?:-?[a-z0-9]){2,}) without the suffix.
bool parse_stem(std::string_view stem, LayerFileName& parts) {
    if (stem.size() < 7 || stem[3] != '-') return false;
    for (int i = 0; i < 3; ++i) {
        const char c = stem[static_cast<std::size_t>(i)];
        if (c < '0' || c > '9') return false;
        parts.order = parts.order * 10 + (c - '0');
    }
    const std::string_view label = stem.substr(4);
    if (label.front() < 'a' || label.front() > 'z' || label.back() == '-') return false;
    std::size_t letters = 0;
    for (std::size_t i = 0; i < label.size(); ++i) {
        const char c = label[i];
        if (c == '-' && label[i - 1] == '-') return false;
        if (c != '-' && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) return false;
        letters += c != '-';
    }
    parts.label = label;
    return letters >= 3;
}

}  // namespace

Status LayerStack::adopt(std::vector<Layer> layers) {
    std::vector<const Layer*> pointers;
    for (const Layer& layer : layers) pointers.push_back(&layer);
    PGHERD_TRY(Layer combined, combine(pointers));
    PGHERD_CHECK(validate_plan(combined.sections));
    if (loaded_ && combined.sections.workloads != plan_.workloads)
        return fail(ErrorCode::failed, "cannot change immutable section \"workloads\"");
    layers_ = std::move(layers);
    plan_ = std::move(combined.sections);
    return {};
}

Status LayerStack::load(std::vector<Layer> layers) {
    std::ranges::sort(layers, {}, &Layer::order);
    PGHERD_CHECK(adopt(std::move(layers)));
    loaded_ = true;
    return {};
}

Status LayerStack::append(Layer layer, bool inner) {
    PGHERD_CHECK(check_label(layer));
    if (std::ranges::find(layers_, layer.label, &Layer::label) != layers_.end())
        return invalid(fmt::format("layer {} already exists", go_quote(layer.label)));
    std::vector<Layer> layers = layers_;
    PGHERD_CHECK(insert(layers, std::move(layer), inner));
    return adopt(std::move(layers));
}

Status LayerStack::combine_with(Layer layer, bool inner) {
    PGHERD_CHECK(check_label(layer));
    std::vector<Layer> layers = layers_;
    const auto found = std::ranges::find(layers, layer.label, &Layer::label);
    if (found == layers.end()) {
        PGHERD_CHECK(insert(layers, std::move(layer), inner));
        return adopt(std::move(layers));
    }
    PGHERD_TRY(Layer combined, combine({&*found, &layer}));
    combined.order = found->order;
    combined.label = found->label;
    *found = std::move(combined);
    return adopt(std::move(layers));
}

Status LayerStack::set_service_arguments(const std::map<std::string, std::vector<std::string>>& arguments) {
    Layer layer;
    layer.label = kArgumentsLabel;
    for (const auto& [name, words] : arguments) {
        const auto service = plan_.services.find(name);
        if (service == plan_.services.end())
            return invalid(fmt::format("cannot set arguments: service {} does not exist", go_quote(name)));
        PGHERD_TRY(const ServiceCommand command, parse_service_command(name, service->second.command));
        Service with;
        with.override = "merge";
        with.command = command.with_arguments(words);
        layer.sections.services.emplace(name, std::move(with));
    }
    std::vector<Layer> layers = layers_;
    PGHERD_CHECK(insert(layers, std::move(layer), false));
    return adopt(std::move(layers));
}

Result<std::vector<NamedLayerFile>> layer_files(const std::vector<DirectoryEntry>& entries, bool nested) {
    std::vector<NamedLayerFile> files;
    for (const DirectoryEntry& entry : entries) {
        const std::string_view name = entry.name;
        const std::string_view suffix = entry.directory ? ".d" : ".yaml";
        if (!name.ends_with(suffix)) continue;
        NamedLayerFile file{entry.name, {}};
        file.parts.directory = entry.directory;
        if (entry.directory && nested)
            return invalid(
                fmt::format("cannot have a layers sub-directory at this level: {}", go_quote(name)));
        if (!parse_stem(name.substr(0, name.size() - suffix.size()), file.parts))
            return invalid(fmt::format("invalid layer {}: {} (must look like \"123-some-label{}\")",
                                       entry.directory ? "sub-directory name" : "filename", go_quote(name),
                                       suffix));
        files.push_back(std::move(file));
    }
    std::ranges::sort(files, {}, &NamedLayerFile::name);
    for (std::size_t i = 0; i < files.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (files[i].parts.order == files[j].parts.order || files[i].parts.label == files[j].parts.label)
                return invalid(fmt::format("invalid layer filename: {} not unique (have {} already)",
                                           go_quote(files[i].name), go_quote(files[j].name)));
    return files;
}

}  // namespace pgherd::supervise
