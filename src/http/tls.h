// Certificates and keys from files, as OpenSSL contexts for a server and for a client.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/ssl/context.hpp>

#include "base/result.h"
#include "model/agent_config.h"

namespace pgherd {

using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

// `verify_client`: "none", "optional" (a shown certificate must be good) or "required".
Result<TlsContext> server_tls(const TlsFiles& files, const std::string& verify_client);
// Without a CA file the system's certificates are trusted; with verify = false everything is.
Result<TlsContext> client_tls(const TlsFiles& files);

// Another text when one of the files has changed: certificates are renewed while programs run.
std::string tls_stamp(const TlsFiles& files);

// Why OpenSSL refused, in its words.
std::string tls_reason(const boost::system::error_code& error);

}  // namespace pgherd
