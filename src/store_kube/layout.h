// Which record is kept where: Patroni's layout, so that its members and patronictl find what they know.
//
// Objects of one kind (ConfigMaps, or Endpoints) hold everything but the members, which are pods. A record is
// a few annotations of its object; records that Patroni does not know have an object of their own. A lease is
// an object too, and nothing more.
//
//     leader, status, failsafe       <scope>-leader, or with Endpoints <scope>, whose addresses lead clients
//     config, history, initialize    <scope>-config
//     failover; sync                 <scope>-failover; <scope>-sync
//     members/<pod>                  the pod's annotation `status`; for other names as below
//     rule, timeline, …              <scope>-rule, …; with other signs in the key: <scope>-r-<key>-<hash>
//     a lease                        <scope>-lease-<id>, also as a Lease object
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/strong.h"
#include "model/agent_config.h"

namespace pgherd::kube {

// How a record becomes annotations.
enum class Form {
    plain,   // one annotation with the value as it is
    leader,  // the name, with what Patroni needs to judge its age
    status,  // the members of a JSON object, one annotation each; as the two below
    failover,
    sync,
};

struct Field {
    std::string key;
    Form form = Form::plain;
    std::string annotation;  // of the plain form
    bool operator==(const Field&) const = default;
};

class Layout {
  public:
    Layout(const KubernetesConfig& config, std::string scope);

    const std::string& scope() const { return scope_; }
    bool endpoints() const { return endpoints_; }
    // Of every object of the cluster.
    const std::map<std::string, std::string>& labels() const { return labels_; }
    std::string selector() const;  // "a=b,c=d"
    bool belongs(const std::map<std::string, std::string>& labels) const;
    // The cluster that an object is labelled as a part of, if that is another one.
    std::optional<std::string> other_cluster(const std::map<std::string, std::string>& labels) const;

    const std::string& leader_object() const { return leader_object_; }
    std::string config_object() const { return scope_ + "-config"; }
    std::string sync_object() const { return scope_ + "-sync"; }
    std::string object_of(std::string_view key) const;
    Field field_of(std::string_view key) const;
    // The records that an object of this name can hold. `known`: the keys it says it holds.
    std::vector<Field> fields_of(const std::string& object, const std::vector<std::string>& known) const;
    static std::vector<Field> fields_of_pod(const std::string& pod);
    // An object with nothing in it but this one record, which nobody misses without it.
    bool own_object(std::string_view key) const;

    std::string lease_object(LeaseId lease) const;
    std::optional<LeaseId> lease_of(std::string_view object) const;

  private:
    std::string scope_;
    std::string scope_label_;
    bool endpoints_;
    std::map<std::string, std::string> labels_;
    std::string leader_object_;
};

// "a" for "members/a".
std::optional<std::string> pod_of(std::string_view key);

}  // namespace pgherd::kube
