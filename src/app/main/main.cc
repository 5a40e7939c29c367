// The one main() of pgherd.
#include <string>
#include <vector>

#include "app/app.h"
#include "base/uncaught.h"

int main(int argc, char** argv) {
    pgherd::report_uncaught_exceptions();
    return pgherd::app::run(std::vector<std::string>(argv, argv + argc));
}
