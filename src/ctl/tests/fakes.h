// A cluster in memory, and a terminal that remembers what was printed.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "codec/records.h"
#include "ctl/verb.h"

namespace pgherd::ctl {

class FakeTerminal final : public Terminal {
  public:
    void print(std::string_view text) override { printed += text; }
    void complain(std::string_view text) override { complaints += std::string(text) + "\n"; }
    bool interactive() const override { return somebody; }
    std::string read_line(std::string_view prompt, bool) override {
        asked += std::string(prompt) + "\n";
        if (answers.empty()) return "";
        std::string answer = answers.front();
        answers.pop_front();
        return answer;
    }
    void clear() override {}

    bool somebody = false;
    std::deque<std::string> answers;
    std::string printed, complaints, asked;
};

class FakeRemote final : public Remote {
  public:
    Result<Loaded> load() override {
        auto snapshot = std::make_shared<Snapshot>();
        snapshot->revision = revision;
        snapshot->records = records;
        std::map<std::string, StoredRecord> stored;
        for (const auto& [key, record] : records) stored[key] = {record.value, record.modified, record.lease};
        return Loaded{parse_cluster(revision, stored), snapshot};
    }
    Result<Revision> swap(Swap swap) override {
        auto found = records.find(swap.key);
        bool exists = found != records.end();
        const auto* expected = std::get_if<IfRevision>(&swap.expect);
        if ((std::holds_alternative<IfAbsent>(swap.expect) && exists) ||
            (expected && (!exists || found->second.modified != expected->modified)))
            return fail(ErrorCode::conflict, "the record has changed");
        if (swap.value)
            put(swap.key, *swap.value);
        else
            records.erase(swap.key);
        return revision;
    }
    Result<HttpResponse> call(const Member& member, const RestCall& call) override {
        calls.push_back(member.name.text() + ": " + call.method + " " + call.path +
                        (call.body.empty() ? "" : " " + call.body));
        return answer(member, call);
    }
    void sleep(Duration) override { ++sleeps; }

    void put(const std::string& key, const std::string& value) {
        revision = Revision(revision.value() + 1);
        records[key] = {value, revision, revision, LeaseId()};
    }
    void put_member(const std::string& name, const std::string& more) {
        put("members/" + name, R"({"api_url":"http://127.0.0.1:80/patroni",)" + more + "}");
    }

    Revision revision{1};
    std::map<std::string, Record> records;
    std::function<Result<HttpResponse>(const Member&, const RestCall&)> answer =
        [](const Member&, const RestCall&) { return HttpResponse{}; };
    std::vector<std::string> calls;
    int sleeps = 0;
};

}  // namespace pgherd::ctl
