// Where the Kubernetes API is and how this program proves who it is.
//
// In a pod: the service account's files. Elsewhere: a kubeconfig, with certificates, a token or a token file;
// programs that fetch credentials (`exec`, `auth-provider`) are not run.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "codec/environment.h"
#include "model/agent_config.h"

namespace pgherd::kube {

struct Access {
    std::vector<std::string> servers;  // "https://10.0.0.1:443"
    TlsFiles tls;
    std::string token;
    std::string token_file;  // read again when it changes; instead of `token`
    std::string namespace_;
};

Result<Access> find_access(const KubernetesConfig& config, const Environment& environment);

// Pure; `directory`: what relative paths in it start from.
Result<Access> read_kubeconfig(const std::string& text, const std::string& source,
                               const std::string& directory, const std::string& context);

// The file's content without the white space around it.
Result<std::string> read_text_file(const std::string& path);

}  // namespace pgherd::kube
