// A program that does nothing: it only has to link (see PgherdModule.cmake).
int main() {}
