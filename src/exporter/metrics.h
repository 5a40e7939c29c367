// What PgBouncer's console says, as Prometheus reads it.
//
// The table of columns is the whole knowledge. PgBouncer gains columns and renames some from version to
// version: one that is not there gives no metric, and one that is not in the table is left out.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/connection.h"

namespace pgherd::exporter {

// What is asked: SHOW and this word.
extern const std::vector<std::string> kQuestions;
using Answers = std::map<std::string, postgres::Table, std::less<>>;

// Prometheus's text format 0.0.4.
std::string metrics_text(const Answers& answers);
// When there are no answers.
std::string down_text();

}  // namespace pgherd::exporter
