// The one main() of pgherd.
#include <string>
#include <vector>

#include "app/app.h"

int main(int argc, char** argv) {
    return pgherd::app::run(std::vector<std::string>(argv, argv + argc));
}
