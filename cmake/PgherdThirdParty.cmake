# What comes from Debian, each as one target. Asio, Beast and Boost.JSON are compiled once, here, so that the
# translation units that include them only see declarations.
add_compile_definitions(
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  BOOST_ASIO_DISABLE_BOOST_COROUTINE BOOST_ALL_NO_LIB)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(PostgreSQL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(fmt REQUIRED)  # its headers; they are in the compiler's own path
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(GTest REQUIRED)
find_path(BOOST_INCLUDE_DIR boost/asio.hpp REQUIRED)

add_library(third_party_fmt STATIC ${CMAKE_SOURCE_DIR}/cmake/fmt.cc)

add_library(third_party_json STATIC ${CMAKE_SOURCE_DIR}/cmake/boost_json.cc)
target_include_directories(third_party_json SYSTEM PUBLIC ${BOOST_INCLUDE_DIR})

add_library(third_party_asio STATIC ${CMAKE_SOURCE_DIR}/cmake/boost_asio.cc)
target_include_directories(third_party_asio SYSTEM PUBLIC ${BOOST_INCLUDE_DIR})
target_link_libraries(third_party_asio PUBLIC OpenSSL::SSL OpenSSL::Crypto Threads::Threads)

add_library(third_party_pq STATIC ${CMAKE_SOURCE_DIR}/cmake/libpq.cc)
target_include_directories(third_party_pq SYSTEM PUBLIC ${PostgreSQL_INCLUDE_DIRS})
target_link_libraries(third_party_pq PUBLIC ${CMAKE_DL_LIBS})
add_library(third_party_sqlite INTERFACE)
# Static where Debian has it: fewer shared libraries, fewer resident pages in every member's brain.
find_library(SQLITE_STATIC libsqlite3.a REQUIRED)
target_link_libraries(third_party_sqlite INTERFACE ${SQLITE_STATIC} m ${CMAKE_DL_LIBS} Threads::Threads)
add_library(third_party_yaml INTERFACE)
find_library(YAML_STATIC libyaml-cpp.a REQUIRED)
target_link_libraries(third_party_yaml INTERFACE ${YAML_STATIC})
add_library(third_party_crypt INTERFACE)
find_library(CRYPT_STATIC libcrypt.a REQUIRED)
target_link_libraries(third_party_crypt INTERFACE ${CRYPT_STATIC})
add_library(third_party_cli INTERFACE)
target_link_libraries(third_party_cli INTERFACE CLI11::CLI11)
add_library(third_party_openssl INTERFACE)
target_link_libraries(third_party_openssl INTERFACE OpenSSL::SSL OpenSSL::Crypto)
