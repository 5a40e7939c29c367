#include "supervise/layer_yaml.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "base/text.h"
#include "supervise/go_text.h"
#include "supervise/go_yaml.h"
#include "supervise/plan.h"

namespace pgherd::supervise {
namespace {

// A mistake that ends the reading at once, as one found by a type's own decoder does in go-yaml.
struct Refused : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Mistakes that are gathered and told together, by line.
class Mistakes {
  public:
    void add(const YAML::Node& where, std::string_view what) {
        lines_.emplace_back(where.Mark().line + 1, std::string(what));
    }
    void check() {
        if (lines_.empty()) return;
        std::ranges::sort(lines_);
        std::string text = "yaml: unmarshal errors:";
        for (const auto& [line, what] : lines_) text += fmt::format("\n  line {}: {}", line, what);
        throw Refused(text);
    }

  private:
    std::vector<std::pair<int, std::string>> lines_;
};

bool quoted(const YAML::Node& node) {
    return node.Tag() == "!" || node.Tag() == "!!str" || node.Tag() == "tag:yaml.org,2002:str";
}

std::string describe(const YAML::Node& node) {
    if (node.IsMap()) return "!!map";
    if (node.IsSequence()) return "!!seq";
    if (node.IsNull()) return "!!null";
    std::string text = node.Scalar();
    std::string_view tag = "!!str";
    if (!quoted(node) && means_something_else(text))
        tag = text == "true" || text == "false"                                ? "!!bool"
              : text.find_first_not_of("+-0123456789") == std::string::npos    ? "!!int"
              : text.find_first_not_of("+-.eE0123456789") == std::string::npos ? "!!float"
                                                                               : "!!str";
    if (text.size() > 10) text = text.substr(0, 7) + "...";
    return fmt::format("{} `{}`", tag, text);
}

// The pairs of a mapping, merge keys ("<<") followed, a key given twice noted.
class Pairs {
  public:
    Pairs(const YAML::Node& map, Mistakes& mistakes) {
        for (const auto& pair : map) {
            if (!pair.first.IsScalar()) {
                mistakes.add(pair.first,
                             fmt::format("cannot unmarshal {} into string", describe(pair.first)));
            } else if (pair.first.Scalar() == "<<" && !quoted(pair.first)) {
                merged_.push_back(pair.second);
            } else if (const auto* before = find(pair.first.Scalar())) {
                mistakes.add(pair.first,
                             fmt::format("mapping key {} already defined at line {}",
                                         go_quote(pair.first.Scalar()), before->key.Mark().line + 1));
            } else {
                pairs_.push_back({pair.first, pair.second, pair.first.Scalar()});
            }
        }
        for (const YAML::Node& source : merged_) merge(source);
    }
    struct Pair {
        YAML::Node key;
        YAML::Node value;
        std::string name;
        bool used = false;
    };
    Pair* find(std::string_view name) {
        const auto found = std::ranges::find(pairs_, name, &Pair::name);
        return found == pairs_.end() ? nullptr : &*found;
    }
    std::vector<Pair>& all() { return pairs_; }

  private:
    void merge(const YAML::Node& source) {
        if (source.IsSequence()) {
            for (const auto& item : source)
                if (item.IsMap()) merge(item);
            return;
        }
        if (!source.IsMap()) throw Refused("yaml: map merge requires map or sequence of maps as the value");
        for (const auto& pair : source)
            if (pair.first.IsScalar() && !find(pair.first.Scalar()))
                pairs_.push_back({pair.first, pair.second, pair.first.Scalar()});
    }
    std::vector<Pair> pairs_;
    std::vector<YAML::Node> merged_;
};

// Reads the fields of one object; what has not been asked for at the end is not known.
class Object {
  public:
    Object(const YAML::Node& map, std::string_view type, Mistakes& mistakes)
        : pairs_(map.IsMap() ? map : YAML::Node(YAML::NodeType::Map), mistakes),
          type_(type),
          mistakes_(mistakes) {
        if (!map.IsMap())
            mistakes_.add(map, fmt::format("cannot unmarshal {} into {}", describe(map), type_));
    }
    ~Object() {
        for (const auto& pair : pairs_.all())
            if (!pair.used)
                mistakes_.add(pair.key, fmt::format("field {} not found in type {}", pair.name, type_));
    }
    Object(const Object&) = delete;
    Object& operator=(const Object&) = delete;

    // The value of `key`, nothing when absent or null.
    std::optional<YAML::Node> value(std::string_view key) {
        auto* pair = pairs_.find(key);
        if (!pair) return std::nullopt;
        pair->used = true;
        if (pair->value.IsNull()) return std::nullopt;
        return pair->value;
    }
    bool scalar(const YAML::Node& node, std::string_view wanted) {
        if (node.IsScalar()) return true;
        mistakes_.add(node, fmt::format("cannot unmarshal {} into {}", describe(node), wanted));
        return false;
    }
    void read(std::string_view key, std::string& target) {
        if (const auto node = value(key); node && scalar(*node, "string")) target = node->Scalar();
    }
    bool read_int(std::string_view key, int& target) {
        const auto node = value(key);
        if (!node || !scalar(*node, "int")) return false;
        const auto number = parse_int(node->Scalar());
        if (quoted(*node) || !number || *number < INT32_MIN || *number > INT32_MAX) {
            mistakes_.add(*node, fmt::format("cannot unmarshal {} into int", describe(*node)));
            return false;
        }
        target = static_cast<int>(*number);
        return true;
    }
    void read(std::string_view key, std::optional<int>& target) {
        if (int number = 0; read_int(key, number)) target = number;
    }
    void read(std::string_view key, std::optional<Duration>& target) {
        const auto node = value(key);
        if (!node) return;
        if (!node->IsScalar()) throw Refused("duration must be a YAML string");
        const auto duration = parse_go_duration(node->Scalar());
        if (!duration || node->Scalar() == "0")
            throw Refused(fmt::format("invalid duration {}", go_quote(node->Scalar())));
        target = *duration;
    }
    void read(std::string_view key, std::optional<double>& target) {
        const auto node = value(key);
        if (!node) return;
        if (!node->IsScalar()) throw Refused(fmt::format("{} must be a YAML number", key));
        const std::string& text = node->Scalar();
        double number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc() || end != text.data() + text.size())
            throw Refused(fmt::format("invalid floating-point number {}", go_quote(text)));
        target = number;
    }
    void read(std::string_view key, std::vector<std::string>& target) {
        const auto node = value(key);
        if (!node) return;
        if (!node->IsSequence()) {
            mistakes_.add(*node, fmt::format("cannot unmarshal {} into []string", describe(*node)));
            return;
        }
        for (const auto& item : *node)
            if (scalar(item, "string")) target.push_back(item.IsNull() ? "" : item.Scalar());
    }
    void read(std::string_view key, StringMap& target) {
        const auto node = value(key);
        if (!node) return;
        if (!node->IsMap()) {
            mistakes_.add(*node, fmt::format("cannot unmarshal {} into map[string]string", describe(*node)));
            return;
        }
        Pairs pairs(*node, mistakes_);
        for (const auto& pair : pairs.all())
            if (pair.value.IsNull())
                target[pair.name] = "";
            else if (scalar(pair.value, "string"))
                target[pair.name] = pair.value.Scalar();
    }
    void read(UserGroup& owner) {
        read("user-id", owner.user_id);
        read("user", owner.user);
        read("group-id", owner.group_id);
        read("group", owner.group);
    }

  private:
    Pairs pairs_;
    std::string_view type_;
    Mistakes& mistakes_;
};

void read(const YAML::Node& node, Service& service, Mistakes& mistakes) {
    Object object(node, "plan.Service", mistakes);
    object.read("summary", service.summary);
    object.read("description", service.description);
    object.read("startup", service.startup);
    object.read("override", service.override);
    object.read("command", service.command);
    object.read("after", service.after);
    object.read("before", service.before);
    object.read("requires", service.requirements);
    object.read("workload", service.workload);
    object.read("environment", service.environment);
    object.read(service.owner);
    object.read("working-dir", service.working_dir);
    object.read("on-success", service.on_success);
    object.read("on-failure", service.on_failure);
    object.read("on-check-failure", service.on_check_failure);
    object.read("backoff-delay", service.backoff_delay);
    object.read("backoff-factor", service.backoff_factor);
    object.read("backoff-limit", service.backoff_limit);
    object.read("kill-delay", service.kill_delay);
}

void read(const YAML::Node& node, HttpCheck& check, Mistakes& mistakes) {
    Object object(node, "plan.HTTPCheck", mistakes);
    object.read("url", check.url);
    object.read("headers", check.headers);
}
void read(const YAML::Node& node, TcpCheck& check, Mistakes& mistakes) {
    Object object(node, "plan.TCPCheck", mistakes);
    object.read_int("port", check.port);
    object.read("host", check.host);
}
void read(const YAML::Node& node, ExecCheck& check, Mistakes& mistakes) {
    Object object(node, "plan.ExecCheck", mistakes);
    object.read("command", check.command);
    object.read("service-context", check.service_context);
    object.read("environment", check.environment);
    object.read(check.owner);
    object.read("working-dir", check.working_dir);
}

template <class T>
void read_type(Object& object, std::string_view key, std::optional<T>& target, Mistakes& mistakes) {
    if (const auto node = object.value(key)) read(*node, target.emplace(), mistakes);
}

void read(const YAML::Node& node, Check& check, Mistakes& mistakes) {
    Object object(node, "plan.Check", mistakes);
    object.read("override", check.override);
    object.read("level", check.level);
    object.read("startup", check.startup);
    object.read("period", check.period);
    object.read("timeout", check.timeout);
    object.read_int("threshold", check.threshold);
    read_type(object, "http", check.http, mistakes);
    read_type(object, "tcp", check.tcp, mistakes);
    read_type(object, "exec", check.exec, mistakes);
}

void read(const YAML::Node& node, LogTarget& target, Mistakes& mistakes) {
    Object object(node, "plan.LogTarget", mistakes);
    object.read("type", target.type);
    object.read("location", target.location);
    object.read("services", target.services);
    object.read("override", target.override);
    object.read("labels", target.labels);
}

void read(const YAML::Node& node, Workload& workload, Mistakes& mistakes) {
    Object object(node, "workloads.Workload", mistakes);
    object.read("override", workload.override);
    object.read("environment", workload.environment);
    object.read(workload.owner);
}

// A section of named objects.
template <class Map>
void read_section(const YAML::Node& node, std::string_view what, Map& target) {
    if (node.IsNull()) return;
    Mistakes mistakes;
    if (!node.IsMap()) {
        mistakes.add(node, fmt::format("cannot unmarshal {} into map[string]*plan.{}", describe(node), what));
        mistakes.check();
    }
    Pairs pairs(node, mistakes);
    for (const auto& pair : pairs.all()) {
        if (pair.value.IsNull()) {
            std::string name(what);
            name[0] = static_cast<char>(name[0] + ('a' - 'A'));
            if (what == "LogTarget") name = "log target";
            throw Refused(fmt::format("{} object cannot be null for {} {}", name, name, go_quote(pair.name)));
        }
        read(pair.value, target[pair.name], mistakes);
    }
    mistakes.check();
}

void read_pairing(const YAML::Node& node, std::string& mode) {
    if (node.IsNull()) return;
    Mistakes mistakes;
    {
        Object(node, "pairingstate.Config", mistakes).read("mode", mode);
    }
    mistakes.check();
}

std::string section_text(const YAML::Node& node) {
    if (node.IsNull()) return {};
    if (!node.IsScalar())
        throw Refused(fmt::format("yaml: unmarshal errors:\n  line {}: cannot unmarshal {} into string",
                                  node.Mark().line + 1, describe(node)));
    return node.Scalar();
}

void read_sections(const YAML::Node& root, Layer& layer, std::string& section) {
    Mistakes mistakes;
    if (root.IsNull()) return;
    if (!root.IsMap()) {
        mistakes.add(root, fmt::format("cannot unmarshal {} into map[string]yaml.Node", describe(root)));
        mistakes.check();
    }
    Pairs pairs(root, mistakes);
    mistakes.check();
    for (const auto& [key_node, value, key, used] : pairs.all()) {
        section = key;
        if (key == "summary")
            layer.summary = section_text(value);
        else if (key == "description")
            layer.description = section_text(value);
        else if (key == "services")
            read_section(value, "Service", layer.sections.services);
        else if (key == "checks")
            read_section(value, "Check", layer.sections.checks);
        else if (key == "log-targets")
            read_section(value, "LogTarget", layer.sections.log_targets);
        else if (key == "workloads")
            read_section(value, "Workload", layer.sections.workloads);
        else if (key == "pairing")
            read_pairing(value, layer.sections.pairing_mode);
        else {
            section.clear();
            throw Refused(fmt::format("unknown section {}", go_quote(key)));
        }
    }
}

}  // namespace

Result<Layer> parse_layer(int order, std::string_view label, std::string_view yaml) {
    Layer layer;
    layer.order = order;
    layer.label = label;
    std::string section;
    const auto refuse = [&](std::string_view why) {
        std::string where = fmt::format("cannot parse layer {}", go_quote(label));
        if (!section.empty()) where += fmt::format(" section {}", go_quote(section));
        return fail(ErrorCode::invalid, fmt::format("{}: {}", where, why));
    };
    try {
        read_sections(YAML::Load(std::string(yaml)), layer, section);
    } catch (const Refused& error) {
        if (std::string_view(error.what()).find(" object cannot be null for ") != std::string_view::npos)
            return fail(ErrorCode::invalid, error.what());
        return refuse(error.what());
    } catch (const YAML::Exception& error) {
        section.clear();
        return refuse(fmt::format("yaml: line {}: {}", error.mark.line + 1, error.msg));
    } catch (const std::exception& error) {
        return refuse(fmt::format("yaml: {}", error.what()));
    }
    PGHERD_CHECK(validate_layer(layer));
    return layer;
}

}  // namespace pgherd::supervise
