#include "store_kube/writer.h"

#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "codec/json.h"
#include "http/url.h"

namespace pgherd::kube {

namespace {

// A crowd of writers of one object.
constexpr int kQuickRounds = 8;
constexpr Duration kRoundPause = std::chrono::milliseconds(20);

// The endpoints controller deletes Endpoints without a Service when it starts, except what was a lock.
const std::string kKeptEndpoints = "control-plane.alpha.kubernetes.io/leader";

JsonObject texts_to_json(const std::map<std::string, std::string>& texts) {
    JsonObject object;
    for (const auto& [name, value] : texts) object[name] = value;
    return object;
}

// The API has done it, whatever it says it is now.
Result<Object> parse_written(const JsonObject& answer) {
    auto object = parse_object(answer);
    if (!object) object.error().certainty = Certainty::maybe_done;
    return object;
}

}  // namespace

JsonObject to_json(const AnnotationChanges& changes) {
    JsonObject object;
    for (const auto& [name, value] : changes) object[name] = value ? Json(*value) : Json();
    return object;
}

Outcome outcome_of(const std::string& write, std::int64_t base_version, const std::string& base_write,
                   const Known* now) {
    if (!now) return base_version == 0 ? Outcome::open : Outcome::unknown;
    const Reading& reading = now->reading;
    if (reading.write == write) return Outcome::done;
    if (reading.version == base_version) return Outcome::open;
    // Somebody else has used up the version that it was bound to.
    if (reading.base == base_version || (base_version > 0 && reading.write == base_write))
        return Outcome::not_done;
    return Outcome::unknown;
}

std::string Writer::collection(Kind kind) const {
    if (kind == Kind::lease)
        return fmt::format("/apis/coordination.k8s.io/v1/namespaces/{}/leases", api_.name_space());
    const char* name = kind == Kind::pod ? "pods" : layout_.endpoints() ? "endpoints" : "configmaps";
    return fmt::format("/api/v1/namespaces/{}/{}", api_.name_space(), name);
}

std::string Writer::listing(Kind kind) const {
    return collection(kind) + "?labelSelector=" + percent_encode(layout_.selector());
}

JsonObject Writer::new_object(Kind kind, const std::string& name,
                              const AnnotationChanges& annotations) const {
    std::map<std::string, std::string> texts;
    for (const auto& [key, value] : annotations)
        if (value) texts.emplace(key, *value);
    if (kind == Kind::main && layout_.endpoints() && name != layout_.leader_object())
        texts[kKeptEndpoints] = "";
    JsonObject body;
    body["apiVersion"] = kind == Kind::lease ? "coordination.k8s.io/v1" : "v1";
    body["kind"] = kind == Kind::lease ? "Lease" : layout_.endpoints() ? "Endpoints" : "ConfigMap";
    body["metadata"] = JsonObject{
        {"name", name}, {"labels", texts_to_json(layout_.labels())}, {"annotations", texts_to_json(texts)}};
    return body;
}

asio::awaitable<Result<KnownPtr>> Writer::get(Kind kind, std::string object, Instant deadline) {
    auto answer = co_await api_.call({"GET", path(kind, object)}, deadline);
    if (!answer && answer.error().code == ErrorCode::not_found) {
        knowledge_.forget(kind, object);
        co_return KnownPtr();
    }
    if (!answer) co_return std::unexpected(std::move(answer).error());
    auto parsed = parse_object(*answer);
    if (!parsed) co_return std::unexpected(std::move(parsed).error());
    co_return knowledge_.learn(kind, std::move(*parsed));
}

asio::awaitable<Result<ObjectList>> Writer::list(Kind kind, Instant deadline) {
    auto answer = co_await api_.call({"GET", listing(kind)}, deadline);
    if (!answer) co_return std::unexpected(std::move(answer).error());
    co_return parse_list(*answer);
}

asio::awaitable<Status> Writer::erase(Kind kind, std::string object, std::string uid, std::int64_t version,
                                      Instant deadline) {
    JsonObject body{{"kind", "DeleteOptions"}, {"apiVersion", "v1"}};
    if (version > 0)
        body["preconditions"] = JsonObject{{"uid", uid}, {"resourceVersion", std::to_string(version)}};
    auto answer = co_await api_.call({"DELETE", path(kind, object), to_text(body)}, deadline);
    if (!answer) co_return std::unexpected(std::move(answer).error());
    knowledge_.forget(kind, object);
    co_return Status{};
}

asio::awaitable<Result<Object>> Writer::create(Kind kind, const JsonObject& body, Instant deadline) {
    auto answer = co_await api_.call({"POST", collection(kind), to_text(body), Repeat::never}, deadline);
    // The namespace does not exist.
    if (!answer && answer.error().code == ErrorCode::not_found) answer.error().code = ErrorCode::invalid;
    if (!answer) co_return std::unexpected(std::move(answer).error());
    co_return parse_written(*answer);
}

asio::awaitable<Result<Object>> Writer::patch(Kind kind, const std::string& object, const JsonObject& body,
                                              Repeat repeat, Instant deadline) {
    auto answer = co_await api_.call({"PATCH", path(kind, object), to_text(body), repeat}, deadline);
    if (!answer) co_return std::unexpected(std::move(answer).error());
    co_return parse_written(*answer);
}

asio::awaitable<Result<Object>> Writer::send(Kind kind, const std::string& object, const Known* base,
                                             const Draft& draft, Instant deadline) {
    if (!base) {
        JsonObject body = new_object(kind, object, draft.annotations);
        if (draft.subsets) body["subsets"] = *draft.subsets;
        co_return co_await create(kind, body, deadline);
    }
    AnnotationChanges labels = draft.labels;
    if (kind == Kind::main && !layout_.belongs(base->object.labels))
        for (const auto& [name, value] : layout_.labels()) labels[name] = value;
    JsonObject metadata{{"uid", base->object.uid},
                        {"resourceVersion", std::to_string(base->object.version)},
                        {"annotations", kube::to_json(draft.annotations)}};
    if (!labels.empty()) metadata["labels"] = kube::to_json(labels);
    JsonObject body{{"metadata", std::move(metadata)}};
    if (draft.subsets) body["subsets"] = *draft.subsets;
    co_return co_await patch(kind, object, body, Repeat::never, deadline);
}

asio::awaitable<Result<KnownPtr>> Writer::change(Kind kind, std::string object, Judge judge,
                                                 Instant deadline) {
    const std::string write = fmt::format("{:016x}", loop_.random().next());
    struct Lost {
        std::int64_t version;
        std::string write;
        Error error;
    };
    std::optional<Lost> lost;
    KnownPtr base = knowledge_.latest(kind, object);
    int rounds = 0;
    for (bool fresh = false, stale = !base;; ++rounds) {
        if (rounds > kQuickRounds) co_await api_.sleep_until(loop_.clock().now() + kRoundPause);
        if (stale) {
            auto got = co_await get(kind, object, deadline);
            if (!got) co_return std::unexpected(lost ? lost->error : std::move(got).error());
            base = std::move(*got);
            fresh = true;
            stale = false;
        }
        if (const auto other = base ? layout_.other_cluster(base->object.labels) : std::nullopt)
            co_return fail(ErrorCode::invalid, fmt::format("{} \"{}\" belongs to the cluster \"{}\"",
                                                           collection(kind), object, *other));
        if (lost) {
            const Outcome outcome = outcome_of(write, lost->version, lost->write, base.get());
            if (outcome == Outcome::done) co_return base;
            if (outcome == Outcome::unknown) co_return std::unexpected(lost->error);
            if (outcome == Outcome::not_done) lost.reset();
        }
        auto draft = co_await judge(base.get(), fresh, write);
        if (!draft || !*draft) {
            // A change that may still happen must not be taken for one that was given up.
            if (lost) co_return std::unexpected(lost->error);
            if (!draft && fresh) co_return std::unexpected(std::move(draft).error());
            if (draft && fresh) co_return base;
            stale = true;
            continue;
        }
        auto sent = co_await send(kind, object, base.get(), **draft, deadline);
        if (sent) co_return knowledge_.learn(kind, std::move(*sent));
        Error error = std::move(sent).error();
        const bool too_late = error.code == ErrorCode::conflict || error.code == ErrorCode::not_found;
        if (!error.maybe_done() && !too_late)
            co_return std::unexpected(lost ? lost->error : std::move(error));
        if (error.maybe_done() && !lost)
            lost = Lost{base ? base->object.version : 0, base ? base->reading.write : "", std::move(error)};
        stale = true;
    }
}

}  // namespace pgherd::kube
