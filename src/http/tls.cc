#include "http/tls.h"

#include <boost/asio/ssl/error.hpp>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

namespace pgherd {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

namespace {

Status own_certificate(ssl::context& context, const TlsFiles& files) {
    error_code error;
    if (!files.key_password.empty()) {
        const auto password = [text = files.key_password](std::size_t, ssl::context::password_purpose) {
            return text;
        };
        context.set_password_callback(password, error);
    }
    const bool given_as_text = files.cert_file.empty();
    if (given_as_text)
        context.use_certificate_chain(boost::asio::buffer(files.cert_data), error);
    else
        context.use_certificate_chain_file(files.cert_file, error);
    if (error)
        return fail(ErrorCode::invalid,
                    fmt::format("cannot use certificate {}: {}", files.cert_file, tls_reason(error)));
    const std::string& key = files.key_file.empty() ? files.cert_file : files.key_file;
    if (given_as_text || (files.key_file.empty() && !files.key_data.empty()))
        context.use_private_key(boost::asio::buffer(files.key_data), ssl::context::pem, error);
    else
        context.use_private_key_file(key, ssl::context::pem, error);
    if (error)
        return fail(ErrorCode::invalid, fmt::format("cannot use private key {}: {}", key, tls_reason(error)));
    return {};
}

Status authorities(ssl::context& context, const TlsFiles& files) {
    error_code error;
    if (files.ca_file.empty())
        context.add_certificate_authority(boost::asio::buffer(files.ca_data), error);
    else
        context.load_verify_file(files.ca_file, error);
    if (error)
        return fail(ErrorCode::invalid,
                    fmt::format("cannot use CA certificates {}: {}", files.ca_file, tls_reason(error)));
    return {};
}

TlsContext new_context(ssl::context::method method) {
    auto context = std::make_shared<ssl::context>(method);
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context->native_handle(), SSL_SESS_CACHE_OFF);
    return context;
}

}  // namespace

std::string tls_stamp(const TlsFiles& files) {
    std::string stamp;
    for (const std::string& path : {files.ca_file, files.cert_file, files.key_file}) {
        struct stat file{};
        if (!path.empty() && ::stat(path.c_str(), &file) == 0)
            stamp += fmt::format("{}:{}:{}:{}.{}", file.st_dev, file.st_ino, file.st_size,
                                 file.st_mtim.tv_sec, file.st_mtim.tv_nsec);
        stamp += ";";
    }
    return stamp;
}

std::string tls_reason(const error_code& error) {
    if (error.category() != boost::asio::error::get_ssl_category()) return error.message();
    const auto code = static_cast<unsigned long>(error.value());
    if (ERR_SYSTEM_ERROR(code))
        return error_code(ERR_GET_REASON(code), boost::system::system_category()).message();
    const char* reason = ERR_reason_error_string(code);
    return reason ? reason : error.message();
}

Result<TlsContext> server_tls(const TlsFiles& files, const std::string& verify_client) {
    const TlsContext context = new_context(ssl::context::tls_server);
    PGHERD_CHECK(own_certificate(*context, files));
    if (verify_client != "none" && verify_client != "optional" && verify_client != "required")
        return fail(ErrorCode::invalid,
                    fmt::format("cannot use verify_client \"{}\": it must be none, optional or required",
                                verify_client));
    if (verify_client == "none") return context;
    if (files.ca_file.empty())
        return fail(ErrorCode::invalid, "cannot verify client certificates: no CA file is given");
    PGHERD_CHECK(authorities(*context, files));
    error_code error;
    context->set_verify_mode(
        verify_client == "required" ? ssl::verify_peer | ssl::verify_fail_if_no_peer_cert : ssl::verify_peer,
        error);
    if (STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(files.ca_file.c_str()))
        SSL_CTX_set_client_CA_list(context->native_handle(), names);
    return context;
}

Result<TlsContext> client_tls(const TlsFiles& files) {
    const TlsContext context = new_context(ssl::context::tls_client);
    if (!files.cert_file.empty() || !files.cert_data.empty()) PGHERD_CHECK(own_certificate(*context, files));
    error_code error;
    if (!files.ca_file.empty() || !files.ca_data.empty())
        PGHERD_CHECK(authorities(*context, files));
    else if (files.verify)
        context->set_default_verify_paths(error);
    context->set_verify_mode(files.verify ? ssl::verify_peer : ssl::verify_none, error);
    return context;
}

}  // namespace pgherd
