#include "store_kube/access.h"

#include <filesystem>

#include <fmt/format.h>

#include "base/files.h"
#include "base/text.h"
#include "codec/agent_config.h"
#include "store_kube/objects.h"

namespace pgherd::kube {

namespace {

const std::string kServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount/";

std::string variable(const Environment& environment, const std::string& name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
}

// The entry called `name` in one of a kubeconfig's lists: {name: …, cluster: {…}}.
Result<const JsonObject*> entry(const JsonObject& document, const std::string& list, const std::string& part,
                                const std::string& name) {
    const Json* entries = document.if_contains(list);
    if (entries && entries->is_array())
        for (const Json& item : entries->get_array())
            if (item.is_object() && text_in(item.get_object(), "name") == name)
                if (const JsonObject* found = object_in(item.get_object(), part)) return found;
    return fail(ErrorCode::invalid, fmt::format("no {} \"{}\" under \"{}\"", part, name, list));
}

Status pem_in(const JsonObject& object, const std::string& key, const std::string& directory,
              std::string& file, std::string& data) {
    const std::string coded = text_in(object, key + "-data");
    file = coded.empty() ? text_in(object, key) : std::string();
    if (!file.empty() && !file.starts_with('/')) file = directory + "/" + file;
    if (coded.empty()) return {};
    auto decoded = base64_decode(coded);
    if (!decoded) return fail(ErrorCode::invalid, fmt::format("\"{}-data\" is no base64", key));
    data = std::move(*decoded);
    return {};
}

Status read_user(const JsonObject& user, const std::string& directory, Access& access) {
    for (const char* key : {"exec", "auth-provider"})
        if (user.contains(key))
            return fail(ErrorCode::invalid,
                        fmt::format("its user gets credentials by \"{}\", which is not supported; use a "
                                    "certificate or a token",
                                    key));
    PGHERD_CHECK(pem_in(user, "client-certificate", directory, access.tls.cert_file, access.tls.cert_data));
    PGHERD_CHECK(pem_in(user, "client-key", directory, access.tls.key_file, access.tls.key_data));
    access.token = text_in(user, "token");
    access.token_file = text_in(user, "tokenFile");
    if (!access.token_file.empty() && !access.token_file.starts_with('/'))
        access.token_file = directory + "/" + access.token_file;
    return {};
}

Result<Access> from_kubeconfig(const JsonObject& document, const std::string& directory,
                               std::string context) {
    if (context.empty()) context = text_in(document, "current-context");
    if (context.empty()) return fail(ErrorCode::invalid, "it has no current-context; name one");
    PGHERD_TRY(const JsonObject* chosen, entry(document, "contexts", "context", context));
    PGHERD_TRY(const JsonObject* cluster,
               entry(document, "clusters", "cluster", text_in(*chosen, "cluster")));
    PGHERD_TRY(const JsonObject* user, entry(document, "users", "user", text_in(*chosen, "user")));
    Access access;
    access.namespace_ = text_in(*chosen, "namespace");
    std::string server = text_in(*cluster, "server");
    while (server.ends_with('/')) server.pop_back();
    if (server.empty()) return fail(ErrorCode::invalid, "its cluster has no server");
    access.servers.push_back(std::move(server));
    PGHERD_CHECK(
        pem_in(*cluster, "certificate-authority", directory, access.tls.ca_file, access.tls.ca_data));
    const Json* insecure = cluster->if_contains("insecure-skip-tls-verify");
    access.tls.verify = !(insecure && insecure->is_bool() && insecure->get_bool());
    PGHERD_CHECK(read_user(*user, directory, access));
    return access;
}

Result<Access> load_kubeconfig(const std::string& path, const std::string& context) {
    PGHERD_TRY(const std::string text, read_text_file(path));
    return read_kubeconfig(text, path, std::filesystem::path(path).parent_path().string(), context);
}

bool in_a_pod(const Environment& environment) {
    std::error_code error;
    return !variable(environment, "KUBERNETES_SERVICE_HOST").empty() &&
           std::filesystem::exists(kServiceAccount + "token", error);
}

Access service_account(const Environment& environment) {
    Access access;
    const std::string host = variable(environment, "KUBERNETES_SERVICE_HOST");
    const std::string port = variable(environment, "KUBERNETES_SERVICE_PORT");
    const bool brackets = host.find(':') != std::string::npos;
    access.servers.push_back(fmt::format("https://{}{}{}:{}", brackets ? "[" : "", host, brackets ? "]" : "",
                                         port.empty() ? "443" : port));
    access.tls.ca_file = kServiceAccount + "ca.crt";
    access.token_file = kServiceAccount + "token";
    access.namespace_ = read_text_file(kServiceAccount + "namespace").value_or("");
    return access;
}

// As kubectl: the first file that $KUBECONFIG names.
std::string usual_kubeconfig(const Environment& environment) {
    const std::string listed = variable(environment, "KUBECONFIG");
    if (!listed.empty()) return split(listed, ':').front();
    return variable(environment, "HOME") + "/.kube/config";
}

}  // namespace

Result<std::string> read_text_file(const std::string& path) {
    PGHERD_TRY(const std::string text, read_file(path));
    return std::string(trim(text));
}

Result<Access> read_kubeconfig(const std::string& text, const std::string& source,
                               const std::string& directory, const std::string& context) {
    PGHERD_TRY(const Json document, parse_yaml(text, source));
    if (!document.is_object())
        return fail(ErrorCode::invalid, fmt::format("cannot use {}: it is no kubeconfig", source));
    auto access = from_kubeconfig(document.get_object(), directory, context);
    if (!access) return std::unexpected(with_context(access.error(), fmt::format("cannot use {}", source)));
    return access;
}

Result<Access> find_access(const KubernetesConfig& config, const Environment& environment) {
    Result<Access> access;
    if (config.kubeconfig.empty() && in_a_pod(environment))
        access = service_account(environment);
    else
        access = load_kubeconfig(
            config.kubeconfig.empty() ? usual_kubeconfig(environment) : config.kubeconfig, config.context);
    if (!access) return std::unexpected(with_context(access.error(), "cannot use the Kubernetes API"));
    if (!config.hosts.empty()) access->servers = config.hosts;
    if (!config.cacert.empty()) {
        access->tls.ca_file = config.cacert;
        access->tls.ca_data.clear();
    }
    if (!config.namespace_.empty()) access->namespace_ = config.namespace_;
    if (access->namespace_.empty()) access->namespace_ = "default";
    return access;
}

}  // namespace pgherd::kube
