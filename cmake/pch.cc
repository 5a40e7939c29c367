// Exists so that its precompiled headers do (see PgherdPrecompiled.cmake).
